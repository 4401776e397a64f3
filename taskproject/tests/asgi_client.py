"""A client that speaks ASGI to an application, without a server."""

import asyncio


async def talk(application, scope, *messages):
    """What ``application`` sends for ``scope`` when the client sends ``messages`` and then stays silent."""
    incoming, sent = list(messages), []

    async def receive():
        if incoming:
            return incoming.pop(0)
        await asyncio.Event().wait()

    async def send(message):
        sent.append(message)

    await application(scope, receive, send)
    return sent
