"""The organiser's page: for who started the server, and silent about who wins until asked."""

import pytest
from starlette.testclient import TestClient

from auralign.listen.outcome.results import peek
from auralign.listen.simulate.client import ListenClient
from auralign.listen.web.app import create_app

pytestmark = pytest.mark.slow

TOKEN = "t" * 32
URL = f"/organiser/{TOKEN}"


@pytest.fixture
def study(make_study, finish):
    study = make_study(design={"trials": 2})
    for _ in range(2):
        with TestClient(create_app(study)) as http:
            client = ListenClient(http)
            client.begin("1")
            finish(client)
    return study


@pytest.fixture
def open_page(study):
    """Opens the server with the organiser's page for somebody at an address."""

    def open_page(address="127.0.0.1", token=TOKEN):
        return TestClient(create_app(study, organiser_token=token), client=(address, 50_000))

    return open_page


def test_it_shows_how_far_the_test_is_and_not_who_wins(open_page):
    shown = open_page().get(URL).text
    assert "2 finished" in shown
    assert "4, from 2 to 2 for each of 2 conditions" in shown
    assert "The clip presented first is chosen" in shown
    assert "base against tuned" not in shown


def test_a_look_at_who_wins_is_recorded(study, open_page):
    shown = open_page().post(f"{URL}/peek/overall").text
    assert "overall: look number 1" in shown
    assert "base against tuned" in shown
    assert peek(study, "overall").peeks == 2
    assert open_page().post(f"{URL}/peek/beauty").status_code == 404


def test_it_is_off_unless_the_server_is_started_with_it(open_page):
    assert open_page(token=None).get(URL).status_code == 404


@pytest.mark.parametrize("address", ["192.0.2.7", "2001:db8::7", "testclient"])
def test_another_machine_gets_nothing_even_with_the_address(open_page, address):
    assert open_page(address).get(URL).status_code == 404


@pytest.mark.parametrize("header", ["X-Forwarded-For", "Forwarded"])
def test_who_comes_through_a_proxy_on_this_machine_gets_nothing(open_page, header):
    assert open_page().get(URL, headers={header: "192.0.2.7"}).status_code == 404


def test_a_wrong_token_gets_nothing(open_page):
    assert open_page().get("/organiser/" + "x" * 32).status_code == 404


def test_another_site_cannot_make_the_organiser_look(study, open_page):
    reply = open_page().post(f"{URL}/peek/overall", headers={"Origin": "https://evil.example"})
    assert reply.status_code == 403
    assert peek(study, "overall").peeks == 1
