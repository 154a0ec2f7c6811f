"""Ends that come at an unusual moment, each told once and to the right one."""
import pytest
from kit.http import Http
from kit.wire import Closed
from kit.ws import Ended, WebSocket

WORKER = r"""
#include <errno.h>
#include <string.h>
#include <kennel.h>

static void
receive(struct kennel_request *q)
{
	if (strcmp(strrchr(kennel_request_path(q), '/'), "/ws") == 0)
		kennel_connect(q);
	else
		kennel_respond(q, 200, "text/plain", "plain", 5);
}

static int
onopen(struct kennel_socket *s)
{
	const char	*uid = kennel_socket_uid(s, NULL);

	kennel_log("ends open uid=%s", uid);
	if (strncmp(uid, "close", 5) == 0)
		kennel_close(s, 4010, "not you");
	return (strcmp(uid, "close-refuse") == 0 ? -1 : 0);
}

/* Again and again: the end of the socket must end it. */
static void
again_cb(struct kennel_socket *s, int err, void *arg)
{
	static int	 calls;

	if (++calls == 5)
		kennel_close(s, 4011, "enough");
	if (kennel_broadcast(s, "again", 5, 0, again_cb, arg) == -1)
		kennel_log("ends again cancelled=%d", err == ECANCELED);
}

/* Asks once more when it was cancelled. */
static void
asked_cb(struct kennel_socket *s, const struct kennel_slot *slots, size_t n,
    void *arg)
{
	static int	 calls;

	if (n == 0 || slots[0].data != NULL)
		return;
	if (++calls > 100) {
		kennel_log("ends asked without end");
		return;
	}
	if (kennel_gossip(s, "?", 1, 60000, asked_cb, arg) == -1)
		kennel_log("ends ask refused");
}

/* Nobody answers. */
static void
ongossip(struct kennel_replica *r, struct kennel_answer *a, const char *msg,
    size_t len)
{
	(void)r, (void)a, (void)msg, (void)len;
}

static void
onmessage(struct kennel_socket *s, const struct kennel_message *m)
{
	if (m->len == 2)
		again_cb(s, 0, NULL);
	else
		kennel_gossip(s, "?", 1, 60000, asked_cb, NULL);
	kennel_send(s, "begun", 5, 0);
}

static void
onclose(struct kennel_socket *s, const struct kennel_close *c)
{
	kennel_log("ends close uid=%s code=%d last=%d",
	    kennel_socket_uid(s, NULL), c->code, c->last);
}

int
main(int argc, char **argv)
{
	static const struct kennel_app app = {
		.receive = receive, .onopen = onopen, .onmessage = onmessage,
		.onclose = onclose, .ongossip = ongossip,
	};

	return (kennel_worker_main(argc, argv, &app, 1));
}
"""

ROUTES = """
[route ends]
path = /e/{group}/*
app = ends
group = path:group
uid = query:u const:anon

[route pair]
path = /pair/{group}/*
app = pair
group = path:group
uid = query:u const:anon
limit = 1

[route groupless]
path = /none/*
app = ends
group = none
uid = query:u const:anon
"""


@pytest.fixture(scope="module")
def worker(installed):
    return installed.worker(WORKER)


@pytest.fixture(scope="module")
def kennel(start_shared, worker):
    return start_shared(shards=2, worker=worker, config=ROUTES)


@pytest.mark.parametrize("path", ["/e/g/ws", "/none/ws"])
@pytest.mark.parametrize("uid", ["close", "close-refuse"])
def test_closed_within_onopen(kennel, path, uid):
    """101, the close frame with its words, and an onclose that says so."""
    mark = len(kennel.log())
    c = WebSocket(kennel.address, f"{path}?u={uid}")
    with pytest.raises(Ended) as e:
        c.recv()
    assert (e.value.code, e.value.reason) == (4010, b"not you")
    kennel.wait_log(rf"ends close uid={uid} code=4010 last=1", mark=mark)
    c.close()
    kennel.wait_places(0)
    assert kennel.log(mark).count("ends close") == 1


@pytest.mark.parametrize("body", [
    ("Content-Length: 45\r\n", b""),
    ("Transfer-Encoding: chunked\r\n", b"2d\r\n"),
])
def test_body_of_a_handshake_is_no_request(kennel, body):
    """It is not read: so what follows must not be taken for a request."""
    field, begin = body
    inner = b"GET /none/inner HTTP/1.1\r\nHost: inner.test\r\n\r\n"
    with Http(kennel.address) as c:
        c.write(b"GET /none/outer HTTP/1.1\r\nHost: x\r\n"
                b"Connection: Upgrade\r\nUpgrade: websocket\r\n" +
                field.encode() + b"\r\n" + begin + inner)
        r = c.response()
        assert not r.keeps
        with pytest.raises(Closed):
            c.response()


def test_handshake_answered_plainly_keeps_the_connection(kennel):
    with Http(kennel.address) as c:
        for _ in range(2):
            assert c.ask("GET", "/none/x", fields=[
                ("Connection", "Upgrade"), ("Upgrade", "websocket")]).keeps


def test_completion_that_calls_again_ends_with_its_socket(kennel):
    mark = len(kennel.log())
    other = WebSocket(kennel.address, "/pair/g/ws?u=other")
    c = WebSocket(kennel.address, "/pair/g/ws?u=again")
    c.send("go")
    assert c.recv() == "begun"
    assert c.end() == 4011
    kennel.wait_log("ends again cancelled=1", mark=mark)
    kennel.wait_log("ends close uid=again code=4011 last=1", mark=mark)
    c.close()
    other.close()
    kennel.wait_places(0)


def test_replica_that_ends_amid_a_question(start, worker):
    """Cancelled, it can ask nothing more, and its shard leaves in time."""
    k = start(shards=2, redis="none", worker=worker,
              config=ROUTES + "[gateway]\ndrain = 1ms\n")
    cs = [WebSocket(k.address, f"/pair/g/ws?u={i}") for i in range(2)]
    for c in cs:
        c.send("ask")
    assert k.term() == 0
    assert k.log().count("ends close") == 2
    assert "ends asked without end" not in k.log()
    assert "killed" not in k.log()
    k.check_gone()
    for c in cs:
        c.close()


@pytest.mark.parametrize("redis", ["auto", "none"])
@pytest.mark.parametrize("path", ["/e/g/ws", "/none/ws"])
def test_leaving_without_time_ends_all_the_same(start, worker, path, redis):
    """All are told and all callbacks run, however short the time is."""
    k = start(redis=redis, shards=2, worker=worker,
              config=ROUTES + "[gateway]\ndrain = 1ms\n")
    cs = [WebSocket(k.address, f"{path}?u={i}") for i in range(20)]
    assert k.term() == 0
    assert k.log().count("ends close") == 20
    assert "killed" not in k.log()
    k.check_gone()
    for c in cs:
        c.close()
