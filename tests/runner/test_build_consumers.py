"""The websocket of a build: only for the model's owner, and from the character that the page has."""

import pytest
from asgiref.sync import async_to_sync
from channels.auth import AuthMiddlewareStack
from channels.layers import get_channel_layer
from channels.routing import URLRouter
from channels.testing import WebsocketCommunicator
from django.conf import settings
from django.test import Client

from models_catalog.models import Version
from runner import build_streams, routing
from runner.build_streams import BuildEvent
from runner.models import Build
from tests.models_catalog.factories import VersionFactory

LOG = "one\ntwo \N{SNOWMAN}\n"


@pytest.fixture
def build(alice):
    version = VersionFactory.create(model__account=alice, status=Version.Status.SUBMITTED)
    return Build.objects.create(version=version, status="running", log=LOG)


def connection_of(account, path):
    browser = Client()
    if account:
        browser.force_login(account.user)
    cookie = browser.cookies.get(settings.SESSION_COOKIE_NAME)
    headers = [(b"cookie", f"{settings.SESSION_COOKIE_NAME}={cookie.value}".encode())] if cookie else []
    return WebsocketCommunicator(AuthMiddlewareStack(URLRouter(routing.websocket_urlpatterns)), path, headers=headers)


async def first_messages(connection, number):
    assert (await connection.connect())[0]
    messages = [await connection.receive_json_from() for _ in range(number)]
    await connection.disconnect()
    return messages


def test_the_owner_gets_the_status_and_the_log_from_where_the_page_is(alice, build):
    connection = connection_of(alice, f"/ws/builds/{build.pk}?at=4")
    status, log = async_to_sync(first_messages)(connection, 2)
    assert (status["kind"], status["status"]) == ("status", "running")
    assert (log["kind"], log["at"], log["text"]) == ("log", 4, "two \N{SNOWMAN}\n")


def test_what_is_published_arrives_once_and_gaps_are_filled_from_the_row(alice, build):
    connection = connection_of(alice, f"/ws/builds/{build.pk}?at={len(LOG)}")

    async def watch():
        assert (await connection.connect())[0]
        assert (await connection.receive_json_from())["kind"] == "status"
        layer = get_channel_layer()
        assert layer
        for event in (
            BuildEvent("log", at=0, text=LOG + "three\n"),  # partly known
            BuildEvent("log", at=len(LOG) + 100, text="far ahead"),  # a gap: the row is asked
        ):
            message = {"type": "build.event", "event": event.to_dict()}
            await layer.group_send(build_streams.group_of(build.pk), message)
        first = await connection.receive_json_from()
        await connection.disconnect()
        return first

    assert async_to_sync(watch)()["text"] == "three\n"


@pytest.mark.parametrize("who", ["stranger", None])
def test_others_are_told_that_there_is_no_such_build(stranger, build, who):
    connection = connection_of(stranger if who else None, f"/ws/builds/{build.pk}")

    async def closed():
        await connection.connect()
        return await connection.receive_output()

    assert async_to_sync(closed)()["code"] == 4404
