"""What a record must satisfy before it is accepted: one suite per record kind, one for batches, and the publish gates.

Great Expectations sends nothing to its makers: this package is imported before the library is, and switches that off.
"""

import os
from types import ModuleType

os.environ["GX_ANALYTICS_ENABLED"] = "false"

from expectations import account, message, observation, post, signal, survey_answer

SUITES: dict[str, ModuleType] = {
    "account": account,
    "post": post,
    "observation": observation,
    "message": message,
    "survey_answer": survey_answer,
    "signal": signal,
}
"""Record kind to the module of its suite. Each has `prepare(frame, facts)` and `rules(facts)`."""
