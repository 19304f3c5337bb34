"""What a stranger, another site or a curious listener gets: nothing."""

import pytest
from sqlalchemy import select

from auralign.listen.refusals import RateLimitedError
from auralign.listen.simulate.client import ServerError
from auralign.listen.store.tables import AuditRow
from auralign.listen.web.guards import RateLimiter

pytestmark = pytest.mark.slow

AB = {"overall": {"value": "A"}}


@pytest.fixture
def study(make_study):
    return make_study()


@pytest.fixture
def client(study, connect):
    client = connect(study)
    client.begin("1")
    return client


def code_of(response):
    return response.status_code, response.json()["error"]["code"]


def test_tokens_are_not_in_the_database(study, client):
    token = client.resume_url.rsplit("/", 1)[1]
    withdrawal = client.withdrawal_url.rsplit("/", 1)[1]
    study.close()
    stored = b"".join(path.read_bytes() for path in study.folder.glob("listen.sqlite*"))
    assert token.encode() not in stored
    assert withdrawal.encode() not in stored


def test_without_a_token_or_with_a_wrong_one_nothing_is_shown(study, connect):
    stranger = connect(study)
    assert code_of(stranger.http.get("/api/trial")) == (401, "not_signed_in")
    stranger.http.cookies.set("auralign_listen", "a-token-of-nobody")
    assert code_of(stranger.http.get("/api/session")) == (401, "not_signed_in")
    assert code_of(stranger.http.get("/resume/nobody", follow_redirects=False))[0] == 401


def test_who_has_withdrawn_gets_nothing_with_a_cookie_that_was_known(client):
    clip = client.trial()["clips"][0]["url"]
    assert client.http.get(clip).status_code == 200
    token = client.http.cookies["auralign_listen"]
    client.http.post(client.withdrawal_url)
    client.http.cookies.set("auralign_listen", token)
    for path in ("/api/trial", "/api/session", clip):
        assert code_of(client.http.get(path)) == (403, "forbidden")


def test_the_link_with_the_token_leads_away_from_it(client):
    response = client.http.get(client.resume_url, follow_redirects=False)
    assert (response.status_code, response.headers["location"]) == (303, "/listen")
    assert response.headers["Referrer-Policy"] == "no-referrer"
    assert "HttpOnly" in response.headers["set-cookie"]
    assert "SameSite=lax" in response.headers["set-cookie"]


def test_a_trial_of_somebody_else_is_as_unknown_as_none(study, client, connect):
    other = connect(study)
    other.begin("1")
    theirs, made_up = client.trial(), {"trial": "0" * 24}
    told = []
    for trial in (theirs, made_up):
        with pytest.raises(ServerError) as caught:
            other.answer(trial, AB, ms=0.0)
        told.append(str(caught.value))
    assert told == ["404 not_found: there is no such trial in this sitting"] * 2
    noted = study.database.read(
        lambda db: list(db.execute(select(AuditRow.what, AuditRow.detail)).all())
    )
    assert [what for what, _ in noted] == ["not_found"] * 2


def test_clips_of_somebody_else_are_not_served(study, client, connect):
    url = client.trial()["clips"][0]["url"]
    other = connect(study)
    other.begin("1")
    assert client.http.get(url).status_code == 200
    assert other.http.get(url).status_code == 404
    assert connect(study).http.get(url).status_code == 401


@pytest.mark.parametrize(
    "path", ["/media/../test.yaml", "/media/x/..%2f..%2ftest.yaml", "/media/x/%00", "/media/x/a\\b"]
)
def test_a_path_in_an_address_leads_nowhere(client, path):
    assert client.http.get(path).status_code in (400, 404)


def test_a_hidden_reference_is_served_like_every_other_clip(make_study, connect):
    study = make_study({"type": "mushra"}, systems=("ref", "x", "y"), clips={"reference": "ref"})
    client = connect(study)
    client.begin("1")
    trial = client.trial()
    replies = [client.http.get(clip["url"]) for clip in trial["clips"]]
    telling = ("content-length", "last-modified", "content-type", "cache-control")
    assert len({tuple(reply.headers[name] for name in telling) for reply in replies}) == 1
    assert len({reply.headers["etag"] for reply in replies}) == len(replies)
    assert replies[0].headers["cache-control"] == "no-store"
    assert {round(clip["duration_s"], 3) for clip in trial["clips"]} == {0.5}


def test_no_system_name_reaches_the_page(make_study, connect):
    study = make_study(
        {"type": "mushra"}, systems=("ref", "secretive", "other"), clips={"reference": "ref"}
    )
    client = connect(study)
    client.begin("1")
    text = client.http.get("/api/trial", headers={"X-Tab": client.tab}).text
    rows = [clip.id for clip in study.stimuli.clips()]
    assert not any(word in text for word in ("secretive", "anchor", "listen.sqlite", *rows))


def test_parts_of_a_clip_can_be_asked_for(client):
    url = client.trial()["clips"][0]["url"]
    whole = client.http.get(url).content
    part = client.http.get(url, headers={"Range": "bytes=10-19"})
    assert (part.status_code, part.content) == (206, whole[10:20])


def test_a_change_needs_the_token_of_the_page(client, listen):
    trial = client.trial()
    heard = listen(trial)
    client.csrf, csrf = "f" * 64, client.csrf
    with pytest.raises(ServerError, match="403 forbidden"):
        client.answer(trial, AB, **heard)
    client.csrf = csrf
    client.answer(trial, AB, **heard)


@pytest.mark.parametrize(
    "headers", [{"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}]
)
def test_another_site_cannot_ask_for_a_change(client, headers):
    headers = {**headers, "X-CSRF-Token": client.csrf}
    reply = client.http.post("/api/completion", json={}, headers=headers)
    assert code_of(reply) == (403, "forbidden")


def test_a_large_body_is_refused_before_it_is_read(make_study, connect):
    client = connect(make_study(limits={"max_body_kb": 16, "min_free_mb": 0}))
    big = b"x" * 20_000
    assert code_of(client.http.post("/api/sessions", content=big)) == (413, "too_large")
    # Without a length in its head it is counted as it comes.
    pieces = (big[:1_000] for _ in range(20))
    assert code_of(client.http.post("/api/sessions", content=pieces)) == (413, "too_large")


def test_a_header_does_not_make_a_sender_another_one(make_study, connect):
    client = connect(make_study(limits={"requests_per_minute": 10, "min_free_mb": 0}))
    replies = [
        client.http.get("/", headers={"X-Forwarded-For": f"10.0.0.{i}"}).status_code
        for i in range(12)
    ]
    assert replies == [200] * 10 + [429] * 2


def test_a_sender_does_not_begin_sitting_after_sitting(make_study, connect):
    study = make_study(limits={"sessions_per_minute": 2, "min_free_mb": 0})
    for _ in range(2):
        connect(study).begin("1")
    with pytest.raises(ServerError, match="429 rate_limited"):
        connect(study).begin("1")


def test_the_cookie_of_a_page_with_tls_is_sent_with_tls_only(study, client):
    client.http.base_url = "https://testserver"
    told = client.http.get(client.resume_url, follow_redirects=False).headers["set-cookie"]
    assert "Secure" in told


def test_a_sender_may_go_on_after_a_while_and_another_one_at_once():
    now = [0.0]
    limiter = RateLimiter(2, clock=lambda: now[0])
    limiter.take("a")
    limiter.take("a")
    with pytest.raises(RateLimitedError, match="wait a minute"):
        limiter.take("a")
    limiter.take("b")
    now[0] = 60.0
    limiter.take("a")
    assert b"a" not in limiter.buckets


def test_pages_run_no_inline_script_and_show_text_as_text(make_study, connect):
    evil = "<script>alert(1)</script>"
    study = make_study(name=evil, consent={"text": evil}, instructions=evil, contact=evil)
    response = connect(study).http.get(f"/?PROLIFIC_PID={evil}")
    assert evil not in response.text
    assert response.text.count("&lt;script&gt;") == 5
    policy = response.headers["Content-Security-Policy"]
    assert "script-src 'self';" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert response.headers["Cache-Control"] == "no-store"
