"""What the processes of :mod:`tests.commands` have imported before they are forked."""

from importlib import import_module

for name in (
    "accelerate",
    "baselines.bm25",
    "baselines.popularity",
    "baselines.sasrec.model",
    "benchmark.analysis.leaderboard",
    "benchmark.cleaning",
    "benchmark.cli",
    "benchmark.data.prepare",
    "benchmark.exchange.export",
    "benchmark.exchange.import_run",
    "benchmark.report.markdown",
    "benchmark.results.publish",
    "benchmark.running.runner",
    "benchmark.tuning.study",
    "torch._dynamo",
):
    import_module(name)
