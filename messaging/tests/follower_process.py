"""The follower of notifications in a separate process, to be killed: ``python -m messaging.tests.follower_process``.

Prints ``ready`` and follows until the end.
"""

import os
import threading


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "taskproject.settings")
    import django

    django.setup()
    from messaging.notifications.making import follower

    follower.catch_up()
    print("ready", flush=True)  # noqa: T201
    follower.run(threading.Event())


if __name__ == "__main__":
    main()
