"""Run benchmarks and print their figures. ``make bench`` runs them all; ``--quick`` is a smoke run."""

import argparse
import importlib
import platform
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from bench import cluster, cycle, fanout, growth, matching, pages, reads, reports, waiting
from bench.processes import SERVERS
from bench.table import Figure, as_text, write_json

Bench = Callable[[str, argparse.Namespace], list[Figure]]


def _size(options: argparse.Namespace) -> cycle.Size:
    plain = cycle.QUICK if options.quick else cycle.FULL
    return cycle.Size(options.seconds or plain.seconds, options.rounds or plain.rounds, options.jobs or plain.jobs)


def _cycle(server: str, options: argparse.Namespace) -> list[Figure]:
    return cycle.cycle(options.servers.split(","), server, _size(options))


def _batch(server: str, options: argparse.Namespace) -> list[Figure]:
    return cycle.batch(options.servers.split(","), server, _size(options))


def _heartbeat(server: str, options: argparse.Namespace) -> list[Figure]:
    return cycle.heartbeat(options.servers.split(","), server, _size(options))


def _sqlite(server: str, options: argparse.Namespace) -> list[Figure]:
    return cycle.on_sqlite(_size(options))


def _waiting(server: str, options: argparse.Namespace) -> list[Figure]:
    return waiting.waiting(server, _size(options), agents=100 if options.quick else 1000)


def _reads(server: str, options: argparse.Namespace) -> list[Figure]:
    rounds, requests = (1, 30) if options.quick else (options.rounds or 5, 200)
    return reads.over_http(options.servers.split(","), server, rounds=rounds, requests=requests)


def _scale(server: str, options: argparse.Namespace) -> list[Figure]:
    many = options.tasks or (20_000 if options.quick else 1_000_000)
    return reads.scale(server, many=many, requests=10 if options.quick else 50)


def _growth(server: str, options: argparse.Namespace) -> list[Figure]:
    sizes = growth.QUICK_SIZES if options.quick else growth.SIZES
    if options.tasks:
        sizes = (*(size for size in sizes if size < options.tasks), options.tasks)
    known = {"with": [True], "without": [False], "both": [True, False]}
    return growth.growth(
        server,
        sizes=sizes,
        rounds=1 if options.quick else options.rounds or 3,
        only=options.only.split(",") if options.only else [],
        keep=options.keep,
        databases=[name for name in ("SQLite", "PostgreSQL") if options.database in ("both", name.lower())],
        statistics=known[options.statistics],
    )


def _pages(server: str, options: argparse.Namespace) -> list[Figure]:
    many = options.tasks or (1_000 if options.quick else 10_000)
    rounds, times = (1, 1) if options.quick else (options.rounds or 3, 5)
    return pages.pages(server, many=many, rounds=rounds, times=times)


def _reports(server: str, options: argparse.Namespace) -> list[Figure]:
    many = options.tasks or (2_000 if options.quick else 1_000_000)
    return reports.reports(server, tasks=many, rounds=1 if options.quick else options.rounds or 3)


def _fanout(server: str, options: argparse.Namespace) -> list[Figure]:
    plain = fanout.QUICK if options.quick else fanout.FULL
    size = replace(plain, rounds=options.rounds or plain.rounds, seconds=int(options.seconds or plain.seconds))
    return fanout.fanout(server, size, options.redis)


def _matching(server: str, options: argparse.Namespace) -> list[Figure]:
    if options.quick:
        return matching.matching(tasks=500, agents=60, rounds=1) + matching.overload(seeds=1, tasks=150)
    figures = matching.matching(tasks=10_000, agents=1_000, rounds=options.rounds or 5)
    figures += matching.overload(seeds=5, tasks=600)
    return figures + matching.offering(server, tasks=100_000, agents=500, times=100)


BENCHES: dict[str, tuple[Bench, str]] = {
    "cycle": (_cycle, "claim_next + complete over HTTP beside Procrastinate and the same facts by bare SQL"),
    "batch": (_batch, "the same in batches of 10 beside PgQueuer and the same facts by bare SQL"),
    "heartbeat": (_heartbeat, "what renewing a lease costs the server"),
    "waiting": (_waiting, "the claim cycle beside a thousand agents that wait, beside none"),
    "reads": (_reads, "one task and a list of 50 beside a bare view of the same bytes"),
    "scale": (_scale, "claim_next, list, board, admin list with a million tasks beside a thousand"),
    "growth": (_growth, "all lists, pages, reports, verbs with a million tasks beside a thousand, both databases"),
    "pages": (_pages, "every page with 10,000 tasks beside 100, both databases"),
    "reports": (_reports, "each predefined report, both databases, beside SQL by hand for the same numbers"),
    "fanout": (_fanout, "one event to 200 sockets beside Flask-SocketIO, and commit to frame at 50 events/s"),
    "matching": (_matching, "automatic assignment: beside the optimum, under overload, a new task until it is offered"),
    "sqlite": (_sqlite, "both on SQLite, for information"),
}

#: What needs other packages than the benchmarks do: the module whose ``main`` runs it.
ALONE = {
    "chaos": ("bench.chaos.story", "a trial: kill everything at random under load, and check what is left"),
    "clickhouse": ("bench.clickhouse.story", "a proof: the answers of reports by ClickHouse, and how long they take"),
}


def main() -> int:
    named = "\n".join(f"  {name:9} {text}" for name, (_, text) in BENCHES.items())
    named += "\n\nrun by themselves:\n" + "\n".join(f"  {name:10} {text}" for name, (_, text) in ALONE.items())
    parser = argparse.ArgumentParser(
        prog="python -m bench",
        description=__doc__,
        epilog=f"benchmarks:\n{named}\n\nexamples:\n  python -m bench cycle batch --rounds 3 --json figures.json\n"
        "  python -m bench chaos --rounds 5\n"
        "  python -m bench growth --keep /var/tmp/growth --postgres postgresql://… --only 'API list,board'",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("names", nargs="*", metavar="name", help="A benchmark to run (default: all).")
    parser.add_argument("--quick", action="store_true", help="A smoke run: everything small and short.")
    parser.add_argument("--json", type=Path, metavar="FILE", help="Also write the figures there.")
    parser.add_argument("--postgres", metavar="URL", help="A server to create databases on (default: a throwaway one).")
    parser.add_argument("--redis", metavar="URL", help="For `fanout`: also measure across processes.")
    parser.add_argument("--servers", default="embedded,production", help="embedded, production or both.")
    parser.add_argument("--seconds", type=float, help="Seconds per round of the claim cycle.")
    parser.add_argument("--rounds", type=int, help="Rounds, alternating with the yardstick.")
    parser.add_argument("--tasks", type=int, help="Tasks for `scale`, `growth`, `pages`, `reports` and `clickhouse`.")
    parser.add_argument("--only", metavar="PARTS", help="For `growth`: names that contain one of these, by commas.")
    parser.add_argument(
        "--keep",
        type=Path,
        metavar="FOLDER",
        help="For `growth`: use the data there (SQLite files, and databases `growth_…` of --postgres), make what is"
        " missing, and leave it. They get all migrations, and what the verbs write.",
    )
    parser.add_argument("--database", choices=["both", "sqlite", "postgresql"], default="both", help="For `growth`.")
    parser.add_argument(
        "--statistics", choices=["both", "with", "without"], default="both", help="For `growth`: of the planner."
    )
    parser.add_argument("--seed", help="For `chaos`: the kills of an earlier run.")
    parser.add_argument("--jobs", type=int, help="Jobs per round of the yardstick.")
    options = parser.parse_args()
    if len(options.names) == 1 and options.names[0] in ALONE:
        return _alone(options)
    if unknown := [name for name in options.names if name not in BENCHES]:
        parser.error(f"there is no benchmark {unknown[0]!r}; choose from {', '.join(BENCHES)}")
    if unknown := [kind for kind in options.servers.split(",") if kind not in SERVERS]:
        parser.error(f"--servers: there is no {unknown[0]!r}; choose from {', '.join(SERVERS)}")
    try:
        return _run(options)
    except cluster.NoPostgres as error:
        print(error, file=sys.stderr)
        return 2


def _alone(options: argparse.Namespace) -> int:
    module, _ = ALONE[options.names[0]]
    try:
        return int(importlib.import_module(module).main(options))
    except cluster.NoPostgres as error:
        print(error, file=sys.stderr)
        return 2


def _run(options: argparse.Namespace) -> int:
    figures: list[Figure] = []
    with cluster.postgres(options.postgres) as server:
        about = {
            "python": platform.python_version(),
            "machine": platform.platform(),
            "postgresql": cluster.settings_of(server),
            "quick": options.quick,
        }
        print(f"Python {about['python']}; PostgreSQL: {about['postgresql']}\n", flush=True)
        for name in options.names or BENCHES:
            measured = BENCHES[name][0](server, options)
            figures += measured
            print(as_text(measured), end="\n\n", flush=True)
    if options.json:
        write_json(options.json, figures, about)
    return 0


if __name__ == "__main__":
    sys.exit(main())
