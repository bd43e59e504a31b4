"""The sources. To add one: write its module, add it to SOURCES (docs/add-a-source.md)."""
