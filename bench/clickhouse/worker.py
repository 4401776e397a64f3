"""Answer ClickHouse's SQL: a JSON text in a line; out come ``{"rows": n}`` and n lines, or ``{"error": …}``.

A process of its own, because ``chdb`` carries a copy of SQLite. Two copies in one process that open one file lose each
other's locks (https://sqlite.org/howtocorrupt.html, 2.2.1).
"""

import json
import sys

from chdb.session import Session


def main() -> None:
    session = Session()
    for line in sys.stdin:
        try:
            text = session.query(json.loads(line), "JSONCompactEachRow").data()
        except Exception as error:
            print(json.dumps({"error": str(error)}), flush=True)
            continue
        # Not `splitlines`: texts may hold other ends of lines.
        rows = [row for row in text.split("\n") if row]
        print("\n".join([json.dumps({"rows": len(rows)}), *rows]), flush=True)


if __name__ == "__main__":
    main()
