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
#include "shardd/apps/js.h"

#define CHAT_PART	(64 << 10)	/* bytes of names that a replica lists */
#define CHAT_LIST	(128 << 10)	/* and of all of them */

struct chat_word {
	const char	*at;
	size_t		 len;
};

enum chat_verb { CHAT_ALL, CHAT_GROUP, CHAT_WHISPER };

static const struct chat_command {
	const char	*name;
	enum chat_verb	 verb;
} chat_commands[] = {
	{ "/g", CHAT_GROUP },	{ "/group", CHAT_GROUP },
	{ "/w", CHAT_WHISPER },	{ "/msg", CHAT_WHISPER },
	{ "/a", CHAT_ALL },	{ "/all", CHAT_ALL },
};

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

/* ---- users ---- */

/* The replica's data: uid -> number of its sockets here. */
static int
chat_start(struct kennel_replica *r)
{
	json_t	*users = json_object();

	kennel_replica_set_data(r, users);
	return (users == NULL ? -1 : 0);
}

static void
chat_stop(struct kennel_replica *r)
{
	json_decref(kennel_replica_data(r));
}

static void
chat_count(struct kennel_socket *s, int step)
{
	json_t		*users;
	json_int_t	 n;
	size_t		 len;
	const char	*uid = kennel_socket_uid(s, &len);

	users = kennel_replica_data(kennel_socket_replica(s));
	n = json_integer_value(json_object_getn(users, uid, len)) + step;
	if (n > 0)
		json_object_setn_new(users, uid, len, json_integer(n));
	else
		json_object_deln(users, uid, len);
}

/*
 * {"shard":address,"names":["name", ...],"more":n} of those here: those who came
 * first, as many as fit, and how many others there are.  NULL without memory.
 */
static json_t *
chat_part(struct kennel_replica *r)
{
	json_t		*names = json_array(), *users, *n;
	const char	*key;
	size_t		 len, bytes = 0, told = 0;

	users = kennel_replica_data(r);
	json_object_keylen_foreach(users, key, len, n) {
		if ((bytes += len) > CHAT_PART)
			break;
		json_array_append_new(names, chat_string(key, len));
		told++;
	}
	return (json_pack("{s:s, s:o, s:I}", "shard", kennel_address(), "names",
	    names, "more", (json_int_t)(json_object_size(users) - told)));
}

static void
chat_gossip(struct kennel_replica *r, struct kennel_answer *a,
    const char *msg, size_t msg_len)
{
	char	*text;
	size_t	 len;

	(void)msg, (void)msg_len;	/* there is one question only */
	if ((text = chat_dump(chat_part(r), &len)) == NULL)
		kennel_answer_error(a, "out of memory");
	else
		kennel_answer(a, text, len);
	free(text);
}

struct chat_list {
	json_t		*list;		/* distinct names */
	json_t		*where;		/* name -> its shards' addresses */
	json_int_t	 more;		/* that did not fit */
	size_t		 bytes;		/* of names */
};

/* Add a replica's part. */
static void
chat_merge(struct chat_list *l, const json_t *part)
{
	json_t		*shard = json_object_get(part, "shard"), *name, *at;
	size_t		 i, len;
	const char	*s;

	l->more += json_integer_value(json_object_get(part, "more"));
	json_array_foreach(json_object_get(part, "names"), i, name) {
		if ((s = json_string_value(name)) == NULL)
			continue;
		len = json_string_length(name);
		if ((at = json_object_getn(l->where, s, len)) == NULL) {
			if (l->bytes + len > CHAT_LIST) {
				l->more++;
				continue;
			}
			l->bytes += len;
			json_array_append(l->list, name);
			at = json_array();
			json_object_setn_new(l->where, s, len, at);
		}
		json_array_append(at, shard);
	}
}

static void
chat_list_cb(struct kennel_socket *s, const struct kennel_slot *slots,
    size_t n, void *arg)
{
	struct chat_list	 l = { .list = json_array(),
				    .where = json_object() };
	json_t			*part, *o;
	char			*text;
	size_t			 len;

	(void)arg;
	for (size_t i = 0; i < n; i++) {
		if (slots[i].data == NULL)
			continue;
		part = json_loadb(slots[i].data, slots[i].len, JSON_ALLOW_NUL,
		    NULL);
		chat_merge(&l, part);
		json_decref(part);
	}
	part = chat_part(kennel_socket_replica(s));
	chat_merge(&l, part);
	json_decref(part);
	o = json_pack("{s:s, s:o, s:o, s:I}", "type", "user:list", "list",
	    l.list, "shards", l.where, "time", (json_int_t)kennel_time());
	if (l.more > 0)
		json_object_set_new(o, "more", json_integer(l.more));
	if ((text = chat_dump(o, &len)) != NULL)
		kennel_send(s, text, len, 0);
	free(text);
}

/* ---- words ---- */

/* Length of the white space character at p (as JavaScript's \s), or 0. */
static size_t
chat_space(const char *p, const char *end)
{
	const unsigned char	*u = (const unsigned char *)p;
	unsigned		 c;

	if (p >= end)
		return (0);
	if (*u == ' ' || (*u >= '\t' && *u <= '\r'))
		return (1);
	if (end - p >= 2 && u[0] == 0xc2 && u[1] == 0xa0)
		return (2);
	if (end - p < 3 || u[0] < 0xe1 || u[0] > 0xef)
		return (0);
	c = (u[0] & 0xfu) << 12 | (u[1] & 0x3fu) << 6 | (u[2] & 0x3fu);
	if (c == 0x1680 || (c >= 0x2000 && c <= 0x200a) || c == 0x2028 ||
	    c == 0x2029 || c == 0x202f || c == 0x205f || c == 0x3000 ||
	    c == 0xfeff)
		return (3);
	return (0);
}

static void
chat_skip(struct chat_word *w)
{
	size_t	 n;

	while ((n = chat_space(w->at, w->at + w->len)) > 0)
		w->at += n, w->len -= n;
}

/* Cut the first word off rest. */
static struct chat_word
chat_next(struct chat_word *rest)
{
	struct chat_word	 word = { rest->at, 0 };

	while (rest->len > 0 && chat_space(rest->at, rest->at + rest->len) == 0)
		rest->at++, rest->len--, word.len++;
	return (word);
}

static struct chat_word
chat_trim(const char *s, size_t len)
{
	struct chat_word	 w = { s, len };
	const char		*end = s, *p;

	chat_skip(&w);
	for (p = w.at; p < s + len; ) {
		size_t	 n = chat_space(p, s + len);

		p += n > 0 ? n : 1;
		if (n == 0)
			end = p;
	}
	w.len = end > w.at ? (size_t)(end - w.at) : 0;
	return (w);
}

/*
 * What does this text ask for?  On return *text is what to say, *target whom to.
 * A command that lacks its text is no command.
 */
static enum chat_verb
chat_parse(struct chat_word *text, struct chat_word *target)
{
	struct chat_word	 rest = *text, name, to = { NULL, 0 };

	name = chat_next(&rest);
	for (size_t i = 0; i < sizeof(chat_commands) / sizeof(*chat_commands);
	    i++) {
		const struct chat_command	*c = &chat_commands[i];

		if (strlen(c->name) != name.len ||
		    memcmp(c->name, name.at, name.len) != 0)
			continue;
		chat_skip(&rest);
		if (c->verb == CHAT_WHISPER) {
			to = chat_next(&rest);
			chat_skip(&rest);
		}
		if (rest.len == 0)
			break;
		*text = rest;
		*target = to;
		return (c->verb);
	}
	return (CHAT_ALL);
}

/* ---- messages ---- */

/* The target has it: now the sender's own copy. */
static void
chat_echo_cb(struct kennel_socket *s, int err, void *arg)
{
	char	*text = arg;

	(void)err;
	kennel_send(s, text, strlen(text), 0);
	free(text);
}

static void
chat_say(struct kennel_socket *s, const char *said, size_t said_len)
{
	struct chat_word	 w = chat_trim(said, said_len), to = { NULL, 0 };
	enum chat_verb		 verb = chat_parse(&w, &to);
	json_t			*o = chat_event("user:msg", chat_uid(s));
	size_t			 len;
	char			*text;

	json_object_set_new(o, "text", chat_string(w.at, w.len));
	if (verb == CHAT_GROUP)
		json_object_set_new(o, "meta", json_string("group"));
	if (verb == CHAT_WHISPER) {
		json_object_set_new(o, "meta", json_string("whisper"));
		json_object_set_new(o, "to", chat_string(to.at, to.len));
	}
	if ((text = chat_dump(o, &len)) == NULL)
		return;
	if (verb == CHAT_WHISPER) {
		if (kennel_whisper(s, to.at, to.len, text, len, 0,
		    chat_echo_cb, text) == 0)
			return;		/* chat_echo_cb frees it */
		kennel_send(s, text, len, 0);
	} else if (verb == CHAT_GROUP)
		kennel_emit(s, text, len, KENNEL_SELF);
	else
		kennel_broadcast(s, text, len, KENNEL_SELF, NULL, NULL);
	free(text);
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

static int
chat_is(const json_t *type, const char *name)
{
	return (json_is_string(type) &&
	    json_string_length(type) == strlen(name) &&
	    strcmp(json_string_value(type), name) == 0);
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
			chat_say(s, json_string_value(said),
			    json_string_length(said));
	} else
		chat_pass(s, o, m->data, m->len);
out:
	json_decref(o);
}

static int
chat_open(struct kennel_socket *s)
{
	chat_count(s, 1);
	/* Not a member yet, so "self" reaches its uid's other sockets only. */
	chat_broadcast(s, chat_user_event(s, "user:join"), KENNEL_SELF);
	return (0);
}

static void
chat_close(struct kennel_socket *s, const struct kennel_close *why)
{
	chat_count(s, -1);
	if (why->last)
		chat_broadcast(s, chat_user_event(s, "user:exit"), 0);
}

/* kennel_app's thaw: one more here, whom everybody knows. */
static int
chat_thaw(struct kennel_socket *s, const char *data, size_t len, int how)
{
	(void)data, (void)len, (void)how;
	chat_count(s, 1);
	return (0);
}

/* kennel_app's onmoved: one less here. */
static void
chat_moved(struct kennel_socket *s, int how)
{
	(void)how;
	chat_count(s, -1);
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
chat_connect(struct kennel_request *q)
{
	size_t		 len;
	const char	*uid = kennel_request_uid(q, &len);
	json_t		*name = chat_string(uid, len);

	/* The text will stand in JSON, which is UTF-8. */
	if (name == NULL)
		kennel_respond(q, 400, "text/plain", "name is not UTF-8\n", 18);
	else
		kennel_connect(q);
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
		chat_connect(q);
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
	.onstart = chat_start,
	.onstop = chat_stop,
	.receive = chat_receive,
	.onopen = chat_open,
	.onmessage = chat_message,
	.onclose = chat_close,
	.ongossip = chat_gossip,
	.onlost = chat_lost,
	.moves = 1,
	.thaw = chat_thaw,
	.onmoved = chat_moved,
};
