"""The embedded default: a real HTTP server on loopback that speaks the platforms' wire contracts, and knows its truth.

It shares only the registry's ids with the pipeline (it reads the seed files itself) and no code: were a parsing rule shared,
both sides would agree in their mistakes. docs/simulator.md tells what it serves and what it plants.
"""
