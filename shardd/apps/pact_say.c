/* pact: what clients say. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "shardd/apps/pact_names.h"
#include "shardd/apps/pact_room.h"
#include "shardd/apps/pact_say.h"
#include "shardd/apps/pact_sign.h"
#include "shardd/apps/pact_tell.h"

#define PACT_TS_MS	300000		/* that a signature may be off */
#define PACT_DEPTH	32		/* objects and arrays within each other */

/* A message of a client. */
struct pact_in {
	struct kennel_socket *s;
	struct pact_socket *ps;
	json_t		*message;
	json_t		*data;		/* NULL: was not sent */
	const char	*type;
	size_t		 type_len;
};

static void	 pact_relay(struct pact_socket *ps, const json_t *message);

static void
pact_done_cb(struct kennel_socket *s, int err, void *arg)
{
	struct pact_socket	*ps = kennel_socket_data(s);
	json_t			*message = ps->waiting;

	(void)arg;
	if (err != 0)
		pact_error(ps, pact_refusal(err));
	ps->waiting = NULL;
	if (message != NULL)
		pact_relay(ps, message);
	json_decref(message);
}

/* What a message leads to: its step. */
static void
pact_change(struct pact_in *in, kennel_done_cb *done, const char *const *words)
{
	if (pact_do(in->ps, done, NULL, words) == -1)
		pact_error(in->ps, pact_refusal(errno));
	else
		in->ps->waiting = json_incref(in->message);
}

/* An admin's relay of a type begins (1) or ends (-1), for all to know. */
static void
pact_relay_step(struct pact_socket *ps, const char *type, const char *by)
{
	char		 hex[PACT_REPLICA + 1];
	const char	*words[] = { "relay", hex, type, by, NULL };

	pact_replica_hex(hex, kennel_replica_id(kennel_socket_replica(
	    ps->socket)));
	pact_do(ps, *by == '-' ? NULL : pact_done_cb, NULL, words);
}

/* Bytes of a client as a name of keys and topics: malloc'd, or NULL, and it was
 * told that they are too many. */
static char *
pact_take_name(struct pact_in *in, const char *s, size_t len)
{
	if (len <= pact_limits()->name)
		return (pact_name(s, len));
	pact_limit_error(in->ps, "long a name, in bytes", pact_limits()->name);
	return (NULL);
}

/* String(v), likewise. */
static char *
pact_string(struct pact_in *in, const json_t *v)
{
	struct js_text	 t;
	char		*name = NULL;

	if (js_begin(&t) == -1)
		return (NULL);
	js_write_plain(t.f, v);
	if (js_end(&t) == 0)
		name = pact_take_name(in, t.data, t.len);
	js_clear(&t);
	return (name);
}

static void
in_profile(struct pact_in *in)
{
	if (in->ps->joined)
		pact_profile(in->ps);
}

static void
pact_login_cb(struct kennel_socket *s, int err, void *arg)
{
	if (err == 0)
		pact_profile(kennel_socket_data(s));
	pact_done_cb(s, err, arg);
}

static void
in_login(struct pact_in *in)
{
	struct js_text	 t;
	const char	*words[] = { "login", in->ps->session, NULL, NULL };

	if (js_begin(&t) == -1)
		return;
	if (json_is_object(in->data))
		js_write(t.f, in->data);
	else
		fputs("{}", t.f);
	if (js_end(&t) == -1)
		return;
	words[2] = t.data;
	if (t.len > pact_limits()->properties)
		pact_limit_error(in->ps, "many properties, in bytes",
		    pact_limits()->properties);
	else
		pact_change(in, pact_login_cb, words);
	js_clear(&t);
}

/* "event:id", split at the first colon; without id it is "all". */
struct pact_event {
	char	*event, *id;
};

/* 0, or -1: it is none.  Both are to be freed. */
static int
pact_event(struct pact_in *in, const json_t *v, struct pact_event *e)
{
	struct js_text	 t;
	const char	*colon;
	size_t		 n;

	e->event = e->id = NULL;
	if (js_begin(&t) == -1)
		return (-1);
	js_write_plain(t.f, v);
	if (js_end(&t) == -1)
		return (-1);
	colon = memchr(t.data, ':', t.len);
	n = colon == NULL ? t.len : (size_t)(colon - t.data);
	if (n > 0 && (e->event = pact_take_name(in, t.data, n)) != NULL)
		e->id = n + 1 >= t.len ? strdup("all") :
		    pact_take_name(in, colon + 1, t.len - n - 1);
	js_clear(&t);
	if (e->id != NULL)
		return (0);
	free(e->event);
	e->event = NULL;
	return (-1);
}

static void
pact_event_free(struct pact_event *e)
{
	free(e->event);
	free(e->id);
}

static void
in_subscribe(struct pact_in *in)
{
	struct pact_event	 e;
	char			*topic;
	int			 fresh;

	if (pact_event(in, in->data, &e) == -1)
		return;
	if (asprintf(&topic, "s%s:%s", e.event, e.id) == -1)
		goto out;
	fresh = kennel_subscribe(in->s, topic) == 0;
	if (fresh && in->ps->subscriptions >= pact_limits()->subscriptions) {
		kennel_unsubscribe(in->s, topic);
		pact_limit_error(in->ps, "many subscriptions",
		    pact_limits()->subscriptions);
	} else {
		in->ps->subscriptions += (unsigned)fresh;
		pact_tell_state(in->ps, e.event, e.id);
	}
	free(topic);
out:
	pact_event_free(&e);
}

/* End all topics that begin so. */
static unsigned
pact_unsubscribe_all(struct kennel_socket *s, const char *begins)
{
	const char	*topic;
	char		*copy;
	unsigned	 n = 0;
	size_t		 i = 0, len = strlen(begins);

	while ((topic = kennel_topic(s, i)) != NULL) {
		if (strncmp(topic, begins, len) != 0 ||
		    (copy = strdup(topic)) == NULL) {
			i++;
			continue;
		}
		kennel_unsubscribe(s, copy);
		n++;
		free(copy);
	}
	return (n);
}

static void
in_unsubscribe(struct pact_in *in)
{
	struct pact_event	 e;
	char			*topic;
	int			 all;

	if (pact_event(in, in->data, &e) == -1)
		return;
	all = strcmp(e.id, "all") == 0;
	if (asprintf(&topic, "s%s:%s", e.event, all ? "" : e.id) != -1) {
		if (all)
			in->ps->subscriptions -= pact_unsubscribe_all(in->s,
			    topic);
		else if (kennel_unsubscribe(in->s, topic) == 0)
			in->ps->subscriptions--;
		free(topic);
	}
	pact_event_free(&e);
}

static void
in_chat(struct pact_in *in)
{
	static const char *const	 topics[] = { "schat:all", NULL };
	struct js_text			 t;

	if (js_begin(&t) == -1)
		return;
	fputs("{\"type\":\"chat\",\"data\":{", t.f);
	if (in->data != NULL) {
		fputs("\"message\":", t.f);
		js_write(t.f, in->data);
		putc(',', t.f);
	}
	fputs("\"user\":", t.f);
	pact_write_public(t.f, in->ps);
	fputs("}}}", t.f);
	if (js_end(&t) == 0)
		kennel_publish(in->s, topics, t.data, t.len, KENNEL_SELF,
		    NULL, NULL);
	js_clear(&t);
}

static int
pact_falsy(const json_t *v)
{
	return (v == NULL || json_is_null(v) || json_is_false(v) ||
	    (json_is_number(v) && json_number_value(v) == 0) ||
	    (json_is_string(v) && json_string_length(v) == 0));
}

/* Number(v); NULL (missing) is NaN. */
static double
pact_to_number(const json_t *v)
{
	struct js_text	 t;
	double		 n = NAN;

	if (v == NULL)
		return (NAN);
	if (json_is_number(v))
		return (json_number_value(v));
	if (json_is_boolean(v) || json_is_null(v))
		return (json_is_true(v));
	if (js_begin(&t) == -1)
		return (NAN);
	js_write_plain(t.f, v);
	if (js_end(&t) == 0)
		n = js_to_number(t.data, t.len);
	js_clear(&t);
	return (n);
}

static void
in_counter(struct pact_in *in)
{
	const json_t	*id = json_object_get(in->data, "id");
	double		 by = 1;
	char		*name, text[JS_NUMBER];
	const char	*words[] = { "counter", NULL, text, NULL };

	if (!pact_falsy(in->data))
		by = pact_to_number(json_object_get(in->data, "value"));
	if (isnan(by))
		return;
	if (isinf(by)) {
		pact_error(in->ps, pact_refusal(ERANGE));
		return;
	}
	name = pact_falsy(id) ? strdup("default") : pact_string(in, id);
	if (name == NULL)
		return;
	words[1] = name;
	js_number(text, by);
	pact_change(in, pact_done_cb, words);
	free(name);
}

static void
in_vote(struct pact_in *in)
{
	char		*poll, *answer = NULL;
	const char	*words[] = { in->type, in->ps->session, NULL, NULL,
			    NULL };

	if (!json_is_object(in->data) && !json_is_array(in->data))
		return;
	/* Before joining there is nobody to vote for. */
	if (!in->ps->joined) {
		pact_error(in->ps, pact_refusal(EAGAIN));
		return;
	}
	if ((poll = pact_string(in, json_object_get(in->data, "id"))) != NULL &&
	    (answer = pact_string(in, json_object_get(in->data,
	    "answer"))) != NULL) {
		words[2] = poll;
		words[3] = answer;
		pact_change(in, pact_done_cb, words);
	}
	free(poll);
	free(answer);
}

static void
in_close(struct pact_in *in)
{
	kennel_close(in->s, 1000, NULL);
}

/* ---- admins ---- */

/*
 * Is this a time as a signature has it: digits, no sign, no leading zero?  Room, ts
 * and key are hashed without anything between, so that the end of another room's
 * name could pass for the beginning of ts ("lobby0" + "17...", "lobby" + "017...").
 * Of two ts of this form that end alike and are not the same, one is many times the
 * other, so that only one of them is near to now.
 */
static int
pact_is_ts(const char *s, size_t len)
{
	return (len > 0 && *s != '0' && strspn(s, "0123456789") == len);
}

static void
in_authenticate(struct pact_in *in)
{
	const json_t	*ts = json_object_get(in->data, "ts");
	const json_t	*key = json_object_get(in->data, "key");
	double		 then = pact_to_number(ts), off;
	double		 now = (double)kennel_time();
	struct js_text	 t;
	const char	*room;
	char		 text[200], number[JS_NUMBER];
	size_t		 len;

	/* Nothing else that reads as a number is a time. */
	if ((!json_is_string(ts) && !json_is_number(ts)) || !isfinite(then) ||
	    json_string_length(ts) > JS_NUMBER || js_begin(&t) == -1)
		return;
	js_write_plain(t.f, ts);
	if (js_end(&t) == -1)
		return;
	room = kennel_replica_group(kennel_socket_replica(in->s), &len);
	off = fabs(now - then);
	js_number(number, off);
	if (off > PACT_TS_MS) {
		snprintf(text, sizeof(text), "Wrong timestamp. Received %s but "
		    "now is %.0f Diff is %s", t.data, now, number);
		pact_error(in->ps, text);
	} else if (!pact_is_ts(t.data, t.len)) {
		pact_error(in->ps, "Wrong timestamp. It is written as digits "
		    "only, without a sign, zeros before it, or spaces");
	} else if (pact_signed(room, len, t.data, key)) {
		in->ps->admin = 1;
		pact_keep(in->ps);
		pact_profile(in->ps);
	}
	js_clear(&t);
}

static void
in_config(struct pact_in *in)
{
	struct js_text	 t;
	char		*text = NULL;
	const char	*words[] = { "config", NULL, NULL };

	if (js_begin(&t) == -1)
		return;
	js_write_plain(t.f, in->data);
	if (js_end(&t) == -1)
		return;
	if (t.len > pact_limits()->config)
		pact_limit_error(in->ps, "long a config, in bytes",
		    pact_limits()->config);
	else if ((text = pact_name(t.data, t.len)) == NULL)
		pact_error(in->ps, pact_refusal(ENOMEM));
	else {
		words[1] = text;
		pact_change(in, pact_done_cb, words);
	}
	js_clear(&t);
	free(text);
}

static void
in_broadcast(struct pact_in *in)
{
	const json_t		*type = json_object_get(in->data, "type");
	const json_t		*to = json_object_get(in->data, "to");
	const json_t		*data = json_object_get(in->data, "data");
	struct pact_topics	 topics = { 0 };
	struct js_text		 t;
	struct pact_event	 e = { NULL, NULL };

	/* Clients read nothing without a type. */
	if (!json_is_string(type) || (!pact_falsy(to) &&
	    pact_event(in, to, &e) == -1))
		return;
	if (js_begin(&t) == 0) {
		fputs("{\"type\":", t.f);
		js_write(t.f, type);
		if (data != NULL) {
			fputs(",\"data\":", t.f);
			js_write(t.f, data);
		}
		putc('}', t.f);
		if (js_end(&t) == -1)
			t.len = 0;
		else if (e.event == NULL)
			kennel_broadcast(in->s, t.data, t.len, KENNEL_SELF,
			    NULL, NULL);
		else if (pact_topics(&topics, e.event, e.id,
		    strlen(e.id)) == 0)
			kennel_publish(in->s, topics.at, t.data, t.len,
			    KENNEL_SELF, NULL, NULL);
		js_clear(&t);
	}
	pact_topics_free(&topics);
	pact_event_free(&e);
}

/* "r" and the type of a relay, malloc'd. */
static char *
pact_relay_topic(struct pact_in *in, const json_t *type)
{
	char	*name = pact_string(in, type), *topic = NULL;

	if (name != NULL)
		topic = pact_map("r", name, strlen(name));
	free(name);
	return (topic);
}

static void
in_relay(struct pact_in *in)
{
	char	*topic;
	int	 fresh;

	if (pact_falsy(in->data) ||
	    (topic = pact_relay_topic(in, in->data)) == NULL)
		return;
	fresh = kennel_subscribe(in->s, topic) == 0;
	if (fresh && in->ps->relays >= pact_limits()->relays) {
		kennel_unsubscribe(in->s, topic);
		pact_limit_error(in->ps, "many relays",
		    pact_limits()->relays);
	} else if (fresh) {
		in->ps->relays++;
		pact_relay_step(in->ps, topic + 1, "1");
	}
	free(topic);
}

/* All relays of the socket end, or the one. */
void
pact_end_relays(struct pact_socket *ps, const char *only)
{
	const char	*topic;
	char		*copy;
	size_t		 i = 0;

	while ((topic = kennel_topic(ps->socket, i)) != NULL) {
		if (*topic != 'r' || (only != NULL && strcmp(topic, only) != 0) ||
		    (copy = strdup(topic)) == NULL) {
			i++;
			continue;
		}
		kennel_unsubscribe(ps->socket, copy);
		ps->relays--;
		pact_relay_step(ps, copy + 1, "-1");
		free(copy);
	}
}

static void
in_delete_relay(struct pact_in *in)
{
	char	*topic = NULL;

	if (!pact_falsy(in->data) &&
	    (topic = pact_relay_topic(in, in->data)) == NULL)
		return;
	pact_end_relays(in->ps, topic);
	free(topic);
}

/* Does anybody relay messages of this type?  Then they get it. */
static void
pact_relay(struct pact_socket *ps, const json_t *message)
{
	struct kennel_replica	*r = kennel_socket_replica(ps->socket);
	const json_t		*data = json_object_get(message, "data");
	const json_t		*of = json_object_get(message, "type");
	const char		*plain = json_string_value(of);
	size_t			 len = json_string_length(of);
	struct js_text		 t;
	const char		*topics[2] = { NULL, NULL };
	char			*name, *topic = NULL;

	if (kennel_count(r, "~relayed") == 0)
		return;
	if ((name = pact_name(plain, len)) == NULL ||
	    kennel_get(r, "~relayed", name, strlen(name), NULL) == NULL ||
	    (topic = pact_map("r", name, strlen(name))) == NULL ||
	    js_begin(&t) == -1)
		goto out;
	topics[0] = topic;
	fputs("{\"type\":\"relay:", t.f);
	js_write_chars(t.f, plain, len);
	fputs("\",\"data\":{\"type\":", t.f);
	js_write_string(t.f, plain, len);
	if (data != NULL) {
		fputs(",\"data\":", t.f);
		js_write(t.f, data);
	}
	fputs(",\"user\":", t.f);
	pact_write_private(t.f, ps);
	fputs("}}", t.f);
	if (js_end(&t) == 0)
		kennel_publish(ps->socket, topics, t.data, t.len, KENNEL_SELF,
		    NULL, NULL);
	js_clear(&t);
out:
	free(name);
	free(topic);
}

static const struct {
	const char	*type;
	void		(*run)(struct pact_in *);
	int		 admin;		/* of others it is ignored */
} pact_types[] = {
	{ "profile",	in_profile, 0 },
	{ "login",	in_login, 0 },
	{ "subscribe",	in_subscribe, 0 },
	{ "unsubscribe", in_unsubscribe, 0 },
	{ "chat",	in_chat, 0 },
	{ "counter",	in_counter, 0 },
	{ "poll",	in_vote, 0 },
	{ "ephemeralPoll", in_vote, 0 },
	{ "close",	in_close, 0 },
	{ "authenticate", in_authenticate, 0 },
	{ "config",	in_config, 1 },
	{ "broadcast",	in_broadcast, 1 },
	{ "relay",	in_relay, 1 },
	{ "deleteRelay", in_delete_relay, 1 },
};

static void
pact_dispatch(struct pact_in *in)
{
	for (size_t i = 0; i < sizeof(pact_types) / sizeof(pact_types[0]); i++)
		if (strcmp(in->type, pact_types[i].type) == 0 &&
		    strlen(in->type) == in->type_len) {
			if (!pact_types[i].admin || in->ps->admin)
				pact_types[i].run(in);
			break;
		}
	if (in->ps->waiting == NULL)
		pact_relay(in->ps, in->message);
}

void
pact_message(struct kennel_socket *s, const struct kennel_message *m)
{
	struct pact_in	 in = { .s = s, .ps = kennel_socket_data(s) };
	json_t		*o, *type;
	const char	*why;

	if (m->binary)
		return;
	if ((o = js_parse(m->data, m->len, PACT_DEPTH, &why)) == NULL &&
	    why != NULL)
		pact_error(in.ps, why);
	type = json_object_get(o, "type");
	if (json_is_string(type)) {
		in.message = o;
		in.type = json_string_value(type);
		in.type_len = json_string_length(type);
		in.data = json_object_get(o, "data");
		pact_dispatch(&in);
	}
	json_decref(o);
}
