"""What an engine does for webhooks, in a separate process, to be killed: ``python -m messaging.tests.webhook_process``.

Prints ``ready``, then makes and sends deliveries until the end.
"""

import os
import threading


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "taskproject.settings")
    import django

    django.setup()
    from messaging.webhooks.making import follower
    from messaging.webhooks.sending import sender

    stop = threading.Event()
    threading.Thread(target=sender.run, args=(stop,), daemon=True).start()
    print("ready", flush=True)  # noqa: T201
    follower.run(stop)


if __name__ == "__main__":
    main()
