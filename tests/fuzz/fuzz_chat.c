/*
 * Any message to the chat room: what it leads to is JSON, and is signed by who
 * said it.
 */
#include <stdlib.h>

#include "shardd/apps/chat.c"
#include "shardd/apps/chat_event.c"
#include "shardd/apps/chat_say.c"
#include "shardd/apps/chat_users.c"

int	 LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char	 uid[] = "a\"b";
static void		*users;

/* ---- what chat.c calls ---- */

static int
check_json(const char *text, size_t len)
{
	const char	*who, *why;
	json_t		*o = js_parse(text, len, JS_DEPTH_MAX, &why);

	if (!json_is_object(o))
		abort();
	if ((who = json_string_value(json_object_get(o, "uid"))) == NULL)
		who = json_string_value(json_object_get(o, "from"));
	if (who != NULL && strcmp(who, uid) != 0)
		abort();
	if (who == NULL && json_object_get(o, "list") == NULL &&
	    json_object_get(o, "text") == NULL)
		abort();
	json_decref(o);
	return (0);
}

int
app_options(struct kennel_request *q, const char *allow)
{
	(void)q, (void)allow;
	return (0);
}

int
kennel_send(struct kennel_socket *s, const char *data, size_t len, int flags)
{
	(void)s, (void)flags;
	return (check_json(data, len));
}

int
kennel_emit(struct kennel_socket *s, const char *data, size_t len, int flags)
{
	(void)s, (void)flags;
	return (check_json(data, len));
}

int
kennel_broadcast(struct kennel_socket *s, const char *data, size_t len,
    int flags, kennel_done_cb *done, void *arg)
{
	(void)s, (void)flags, (void)done, (void)arg;
	return (check_json(data, len));
}

int
kennel_whisper(struct kennel_socket *s, const char *to, size_t to_len,
    const char *data, size_t len, int flags, kennel_done_cb *done, void *arg)
{
	(void)flags;
	if (to == NULL || to_len == 0)
		abort();
	check_json(data, len);
	done(s, 0, arg);
	return (0);
}

int
kennel_gossip(struct kennel_socket *s, const char *msg, size_t len,
    unsigned deadline_ms, kennel_gossip_cb *cb, void *arg)
{
	struct kennel_slot	 slots[] = {
		{ .neighbour = 1, .data = msg, .len = len },
		{ .neighbour = 2, .error = "gone" },
	};

	(void)deadline_ms;
	cb(s, slots, 2, arg);
	return (0);
}

const char *
kennel_socket_uid(const struct kennel_socket *s, size_t *len)
{
	(void)s;
	*len = sizeof(uid) - 1;
	return (uid);
}

struct kennel_replica *
kennel_socket_replica(const struct kennel_socket *s)
{
	(void)s;
	return (NULL);
}

void
kennel_replica_set_data(struct kennel_replica *r, void *data)
{
	(void)r;
	users = data;
}

void *
kennel_replica_data(const struct kennel_replica *r)
{
	(void)r;
	return (users);
}

uint64_t
kennel_time(void)
{
	return (1);
}

const char *
kennel_address(void)
{
	return ("node/0#1");
}

/* HTTP and gossip are not what is asked here. */
#define UNUSED(type, name, args, value)					\
	type name args { return (value); }
#define UNUSED_VOID(name, args, used)					\
	void name args { used; }
UNUSED(struct kennel_replica *, kennel_request_replica,
    (const struct kennel_request *q), ((void)q, NULL))
UNUSED(const char *, kennel_request_method, (const struct kennel_request *q),
    ((void)q, ""))
UNUSED(const char *, kennel_request_path, (const struct kennel_request *q),
    ((void)q, ""))
UNUSED(const char *, kennel_request_query, (struct kennel_request *q,
    const char *key, size_t *len), ((void)q, (void)key, (void)len, NULL))
UNUSED(const char *, kennel_request_uid, (const struct kennel_request *q,
    size_t *len), ((void)q, (void)len, NULL))
UNUSED(int, kennel_header, (struct kennel_request *q, const char *n,
    const char *v), ((void)q, (void)n, (void)v, 0))
UNUSED(int, chat_http, (struct kennel_request *q, const char *verb),
    ((void)q, (void)verb, 0))
UNUSED_VOID(chat_post, (struct kennel_request *q), ((void)q))
UNUSED_VOID(kennel_events, (struct kennel_request *q), ((void)q))
UNUSED(int, kennel_replica_broadcast, (struct kennel_replica *r,
    const char *d, size_t n, int f, kennel_replica_done_cb *done, void *arg),
    ((void)r, (void)d, (void)n, (void)f, (void)done, (void)arg, 0))
UNUSED(int, kennel_replica_whisper, (struct kennel_replica *r, const char *u,
    size_t un, const char *d, size_t n, int f, kennel_replica_done_cb *done,
    void *arg), ((void)r, (void)u, (void)un, (void)d, (void)n, (void)f,
    (void)done, (void)arg, 0))
UNUSED_VOID(kennel_respond, (struct kennel_request *q, int status,
    const char *type, const char *body, size_t len),
    ((void)q, (void)status, (void)type, (void)body, (void)len))
UNUSED_VOID(kennel_respond_page, (struct kennel_request *q, const char *n),
    ((void)q, (void)n))
UNUSED_VOID(kennel_connect, (struct kennel_request *q), ((void)q))
UNUSED(int, kennel_replica_emit, (struct kennel_replica *r, const char *d,
    size_t n, int f), ((void)r, (void)d, (void)n, (void)f, 0))
UNUSED_VOID(kennel_answer, (struct kennel_answer *a, const char *d,
    size_t n), ((void)a, (void)d, (void)n))
UNUSED_VOID(kennel_answer_error, (struct kennel_answer *a, const char *t),
    ((void)a, (void)t))

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char		 socket;	/* opaque to chat.c */
	struct kennel_socket	*s = (struct kennel_socket *)(void *)&socket;
	struct kennel_message	 m = { .data = (const char *)data,
				    .len = size };

	if (chat_app.onstart(NULL) == -1 || chat_app.onopen(s) == -1)
		abort();
	chat_app.onmessage(s, &m);
	chat_app.onclose(s, &(struct kennel_close){ .code = 1000, .last = 1 });
	chat_app.onstop(NULL);
	return (0);
}
