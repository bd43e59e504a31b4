"""Takes in data that comes as a file: dropped into the inbox, or shipped with the project.

**Dropped files** (`var/inbox/<source>/`) are looked for every 15 minutes, one mapped task per file. A file that was collected
moves to `processed/`; one that cannot be read moves to `rejected/` with its reason in a text file beside it, its task is red, and
the other files go on. **Shipped files** are read once a day, so that a new version of the project brings its new data.

Then as everywhere: **validate** sends bad rows to quarantine with rule and reason, **accepted** tells the warehouse,
**all_collected** is red when anything was not right, and says what.

*When it is red:* read the log of `all_collected`, then the `.reason.txt` beside the file in `rejected/`. Correct the file and drop
it again; files that had been fine are not needed again.
"""

from airflow.sdk import DAG, dag, get_current_context, task

from extractors import SOURCES
from extractors.base import FileSource
from include import dag_defaults


def ingest(source: FileSource) -> DAG:
    @dag(
        dag_id=f"ingest_{source.name}",
        dag_display_name=f"Ingest: {source.title}",
        description=f"{source.title}: {'the shipped file' if source.shipped else 'files from the inbox'}, validate, accept",
        doc_md=f"# {source.title}\n{__doc__}\nThe source: `{source.documentation}`",
        schedule="0 5 * * *" if source.shipped else "*/15 * * * *",
        start_date=dag_defaults.START_DATE,
        catchup=False,
        max_active_runs=1,
        default_args=dag_defaults.DEFAULT_ARGS,
        params=dag_defaults.RUN_PARAMS,
        tags=["ingest", "file", "impact:medium"],
    )
    def ingest_file() -> None:
        @task.short_circuit
        def list_files() -> list[str]:
            from include.inbox import new_files

            return [source.shipped.name] if source.shipped else new_files(source.name)

        @task(map_index_template="{{ file_name }}")
        def collect(name: str) -> None:
            from include.inbox import collect_dropped, collect_shipped

            context = get_current_context()
            context["file_name"] = name  # type: ignore[typeddict-unknown-key]  # for the template
            run_date = dag_defaults.run_date_of(context)
            if source.shipped:
                print(collect_shipped(source, run_date))
            else:
                print(collect_dropped(source.name, name, run_date, observed_at=dag_defaults.moment_of(context)))

        dag_defaults.accept(source, collect.expand(name=list_files()))

    return ingest_file()


for files in (each for each in SOURCES if isinstance(each, FileSource)):
    ingest(files)
