from django.apps import AppConfig


class TaskprojectConfig(AppConfig):
    name = "taskproject"
    verbose_name = "taskproject"

    def ready(self) -> None:
        from django.contrib.auth.signals import user_logged_in
        from django.core.signals import request_finished, request_started

        import messaging.retention
        import tasks.retention
        from messaging.mail.letters import outcomes_of, post
        from messaging.mail.sending import mailer
        from messaging.notifications.making import follower as notifications
        from messaging.webhooks.making import follower as webhooks
        from messaging.webhooks.sending import counters, sender
        from reports.schedules.outbox import outcomes, posts
        from reports.schedules.sending import scheduler
        from taskproject import (
            checks,  # noqa: F401 - importing registers them
            outages,
            pruning,
            sign_ins,
        )
        from taskproject.sqlite import folding
        from tasks import engine

        folding.register()
        pruning.retentions += [*pruning.OWN, *tasks.retention.RETENTIONS, *messaging.retention.RETENTIONS]
        # The engine belongs to tasks, which knows nothing about messaging and reports, nor they about each other; they
        # are connected here.
        # In the order of `engine --once`: what writes mails comes before what sends them.
        engine.companions += [notifications, scheduler, mailer, webhooks, sender]
        posts.append(post)
        outcomes.append(outcomes_of)
        counters.append(_count_delivery)
        user_logged_in.connect(sign_ins.note_sign_in, dispatch_uid="taskproject.sign_ins")
        request_started.connect(outages.begin_request, dispatch_uid="taskproject.outages")
        request_finished.connect(outages.end_request, dispatch_uid="taskproject.outages")


def _count_delivery(outcome: str) -> None:
    # Imported by whoever sends, not by every command.
    from taskproject.watch.metrics import count_delivery

    count_delivery(outcome)
