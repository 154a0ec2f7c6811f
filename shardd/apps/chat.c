/*
 * chat: a room for everybody who opens it.  A room is a group; each of its
 * replicas knows its own users, and asks the others by gossip.
 *
 * Messages are JSON objects with a "type"; README, "The chat room", lists them.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "shardd/apps/apps.h"
#include "shardd/apps/chat_event.h"
#include "shardd/apps/chat_http.h"
#include "shardd/apps/chat_post.h"
#include "shardd/apps/chat_say.h"
#include "shardd/apps/chat_users.h"
#include "shardd/apps/js.h"

/* ---- events ---- */

static json_t *
chat_uid(const struct kennel_socket *s)
{
	size_t		 len;
	const char	*uid = kennel_socket_uid(s, &len);

	return (chat_string(uid, len));
}

static void
chat_broadcast(struct kennel_socket *s, json_t *o, int flags)
{
	size_t	 len;
	char	*text = chat_dump(o, &len);

	if (text != NULL)
		kennel_broadcast(s, text, len, flags, NULL, NULL);
	free(text);
}

/* An event about the socket's user, with the shard that serves it. */
static json_t *
chat_user_event(struct kennel_socket *s, const char *type)
{
	json_t	*o = chat_event(type, chat_uid(s));

	json_object_set_new(o, "shard", json_string(kennel_address()));
	return (o);
}

/* ---- messages ---- */

/* Everybody has answered: the list for who has asked. */
static void
chat_list_cb(struct kennel_socket *s, const struct kennel_slot *slots,
    size_t n, void *arg)
{
	size_t	 len;
	char	*text = chat_users_list(kennel_socket_replica(s), slots, n, &len);

	(void)arg;
	if (text != NULL)
		kennel_send(s, text, len, 0);
	free(text);
}

/* What a socket's user says. */
static void
chat_said(struct kennel_socket *s, const json_t *text)
{
	struct chat_speaker	 f = { .s = s,
				    .r = kennel_socket_replica(s) };

	f.uid = kennel_socket_uid(s, &f.uid_len);
	chat_say(&f, json_string_value(text), json_string_length(text));
}

/* To the sender: why its message led to nothing. */
static void
chat_error(struct kennel_socket *s, const char *why)
{
	char	*text;
	size_t	 len;

	if ((text = chat_dump(json_pack("{s:s, s:s, s:I}", "type", "error",
	    "text", why, "time", (json_int_t)kennel_time()), &len)) != NULL)
		kennel_send(s, text, len, 0);
	free(text);
}

/*
 * A type we do not know goes to everybody as it came, signed with its uid.  Its own
 * spelling of numbers and strings is kept, unless it said who it is.
 */
static void
chat_pass(struct kennel_socket *s, json_t *o, const char *data, size_t len)
{
	struct js_text	 t;
	json_t		*uid = chat_uid(s);
	char		*mended = NULL;

	if (js_begin(&t) == -1) {
		json_decref(uid);
		return;
	}
	if (json_object_get(o, "uid") != NULL) {
		json_object_set(o, "uid", uid);
		js_write(t.f, o);
	} else {
		if ((mended = js_mend(data, len)) != NULL)
			data = mended;
		while (len > 0 && data[len - 1] != '}')
			len--;
		fwrite(data, 1, len - 1, t.f);
		if (json_object_size(o) > 0)
			putc(',', t.f);
		fputs("\"uid\":", t.f);
		js_write(t.f, uid);
		putc('}', t.f);
	}
	if (js_end(&t) == 0)
		kennel_broadcast(s, t.data, t.len, KENNEL_SELF, NULL, NULL);
	js_clear(&t);
	free(mended);
	json_decref(uid);
}

static void
chat_message(struct kennel_socket *s, const struct kennel_message *m)
{
	json_t		*o, *said, *type;
	const char	*why;

	if (m->binary)
		return;
	o = js_parse(m->data, m->len, JS_DEPTH_MAX, &why);
	if (o == NULL && why != NULL)
		chat_error(s, why);
	if (!json_is_object(o))
		goto out;
	type = json_object_get(o, "type");
	if (chat_is(type, "req:connected"))
		chat_broadcast(s, chat_user_event(s, "user:connected"),
		    KENNEL_SELF);
	else if (chat_is(type, "req:user:list"))
		kennel_gossip(s, "{}", 2, 0, chat_list_cb, NULL);
	else if (chat_is(type, "msg")) {
		if (json_is_string(said = json_object_get(o, "text")))
			chat_said(s, said);
	} else
		chat_pass(s, o, m->data, m->len);
out:
	json_decref(o);
}

static int
chat_open(struct kennel_socket *s)
{
	chat_users_count(s, 1);
	/* Not a member yet, so "self" reaches its uid's other sockets only. */
	chat_broadcast(s, chat_user_event(s, "user:join"), KENNEL_SELF);
	return (0);
}

static void
chat_close(struct kennel_socket *s, const struct kennel_close *why)
{
	chat_users_count(s, -1);
	if (why->last)
		chat_broadcast(s, chat_user_event(s, "user:exit"), 0);
}

/* kennel_app's thaw: one more here, whom everybody knows. */
static int
chat_thaw(struct kennel_socket *s, const char *data, size_t len, int how)
{
	(void)data, (void)len, (void)how;
	chat_users_count(s, 1);
	return (0);
}

/* kennel_app's onmoved: one less here. */
static void
chat_moved(struct kennel_socket *s, int how)
{
	(void)how;
	chat_users_count(s, -1);
}

/* Somebody was lost, and nobody knows who: the list says who is left. */
static void
chat_lost_unknown(struct kennel_replica *r)
{
	size_t	 len;
	char	*text = chat_dump(json_pack("{s:s, s:I}", "type", "user:lost",
		    "time", (json_int_t)kennel_time()), &len);

	if (text != NULL)
		kennel_replica_emit(r, text, len, 0);
	free(text);
}

/* A shard died.  Each replica tells its own. */
static void
chat_lost(struct kennel_replica *r, uint64_t neighbour,
    const struct kennel_uid *uids, size_t n, int flags)
{
	char	*text;
	size_t	 len;

	(void)neighbour;
	if ((flags & KENNEL_LOST_UNKNOWN) != 0)
		chat_lost_unknown(r);
	for (size_t i = 0; i < n; i++) {
		text = chat_dump(chat_event("user:exit",
		    chat_string(uids[i].data, uids[i].len)), &len);
		if (text != NULL)
			kennel_replica_emit(r, text, len, 0);
		free(text);
	}
}

/* ---- HTTP ---- */

static void
chat_connect(struct kennel_request *q, void (*connect)(struct kennel_request *))
{
	size_t		 len;
	const char	*uid = kennel_request_uid(q, &len);
	json_t		*name = chat_string(uid, len);

	/* The text will stand in JSON, which is UTF-8. */
	if (name == NULL)
		kennel_respond(q, 400, "text/plain", "name is not UTF-8\n", 18);
	else
		connect(q);
	json_decref(name);
}

static void
chat_receive(struct kennel_request *q)
{
	const char	*method = kennel_request_method(q);
	const char	*verb = strrchr(kennel_request_path(q), '/');

	if (kennel_request_replica(q) == NULL)
		verb = "";		/* the page's route has no group */
	if (strcmp(verb, "/ws") == 0)
		chat_connect(q, kennel_connect);
	else if (strcmp(verb, "/events") == 0 && strcmp(method, "GET") == 0)
		chat_connect(q, kennel_events);
	else if (strcmp(verb, "/say") == 0 && strcmp(method, "POST") == 0)
		chat_post(q);
	else if (chat_http(q, verb))
		return;
	else if (app_options(q, "GET, HEAD"))
		return;
	else if (strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0) {
		kennel_header(q, "Allow", "GET, HEAD");
		kennel_respond(q, 405, "text/plain", "Method not allowed\n", 19);
	} else if (*verb == '\0')
		kennel_respond_page(q, "chat.html");
	else
		kennel_respond(q, 404, NULL, NULL, 0);
}

const struct kennel_app chat_app = {
	.name = "chat",
	.message_max = 128 << 10,
	.onstart = chat_users_start,
	.onstop = chat_users_stop,
	.receive = chat_receive,
	.onopen = chat_open,
	.onmessage = chat_message,
	.onclose = chat_close,
	.ongossip = chat_users_gossip,
	.onlost = chat_lost,
	.moves = 1,
	.thaw = chat_thaw,
	.onmoved = chat_moved,
};
