/*
 * pact: what a room's sockets say and hear.
 *
 * Who wants what is a topic: "s" and event:id for what a client has subscribed
 * to, "r" and a type for what an admin relays.  What changes a room's state is a
 * step (pact_room.c), and onstep here tells those who have subscribed.
 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "shardd/apps/apps.h"
#include "shardd/apps/pact.h"

#define PACT_PING_MS	25000		/* between two pings */
#define PACT_RETRY_MS	1000		/* until joining is tried again */
#define PACT_TICK_MS	250
#define PACT_TS_MS	300000		/* that a signature may be off */

struct pact_room {
	struct pact_socket *first;	/* of this replica */
	size_t		 strangers;	/* of them, that have not joined */
};

struct pact_socket {
	struct kennel_socket *socket;
	struct pact_room *room;
	struct pact_socket *next, *prev;	/* in the room */
	struct pact_socket *after, *before;	/* in the queue of what is due */
	uint64_t	 due;		/* ms since 1970: ping, or join again */
	char		*session;	/* pact_name() of the uid */
	char		*public;	/* properties for all, JSON; NULL: to be
					   looked up */
	json_t		*waiting;	/* a message whose step is not done: relays
					   hear of it afterwards */
	double		 suffix;
	int		 asked;		/* a join was sent */
	int		 joined;
	int		 refused;	/* for good */
	int		 told;		/* that joining has to wait */
	int		 admin;
	unsigned	 subscriptions, relays;
};

/* A message of a client. */
struct pact_in {
	struct kennel_socket *s;
	struct pact_socket *ps;
	json_t		*message;
	json_t		*data;		/* NULL: was not sent */
	const char	*type;
	size_t		 type_len;
};

static struct pact_socket	*due_first, *due_last;
static struct kennel_timer	*due_timer;
static size_t			 nrooms;

static void	 pact_join(struct pact_socket *ps);
static void	 pact_end_relays(struct pact_socket *ps, const char *only);
static void	 pact_relay(struct pact_socket *ps, const json_t *message);

/* ---- limits ---- */

const struct pact_limits *
pact_limits(void)
{
	static struct pact_limits	 l;
	static const struct {
		const char	*key;
		size_t		 offset, value;
	} rows[] = {
#define ROW(f, n)	{ "pact_" #f, offsetof(struct pact_limits, f), n }
		ROW(counters, 1000), ROW(polls, 100), ROW(answers, 100),
		ROW(sessions, 100000), ROW(properties, 16384), ROW(name, 256),
		ROW(config, 65536), ROW(subscriptions, 100), ROW(relays, 100),
		ROW(rooms, 10000),
#undef ROW
	};
	const char	*set;

	if (l.rooms != 0)
		return (&l);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		set = kennel_option(rows[i].key);
		*(size_t *)(void *)((char *)&l + rows[i].offset) =
		    set == NULL ? rows[i].value : strtoul(set, NULL, 10);
	}
	return (&l);
}

/* ---- names ---- */

char *
pact_name(const char *s, size_t len)
{
	char	*dst = malloc(3 * len + 1), *p = dst;

	if (dst == NULL)
		return (NULL);
	for (size_t i = 0; i < len; i++)
		if (s[i] == '%' || s[i] == '\0')
			p += sprintf(p, "%%%02X", s[i]);
		else
			*p++ = s[i];
	*p = '\0';
	return (dst);
}

size_t
pact_unname(char *s)
{
	char	*p = s, *start = s;

	for (; *s != '\0'; s++)
		if (strncmp(s, "%25", 3) == 0)
			*p++ = '%', s += 2;
		else if (strncmp(s, "%00", 3) == 0)
			*p++ = '\0', s += 2;
		else
			*p++ = *s;
	*p = '\0';
	return ((size_t)(p - start));
}

void
pact_write_name(FILE *f, const char *s, size_t len)
{
	char	*copy;

	if (memchr(s, '%', len) == NULL) {
		js_write_string(f, s, len);
		return;
	}
	if ((copy = strndup(s, len)) == NULL)
		return;
	len = pact_unname(copy);
	js_write_string(f, copy, len);
	free(copy);
}

void
pact_replica_hex(char dst[PACT_REPLICA + 1], uint64_t id)
{
	snprintf(dst, PACT_REPLICA + 1, "%016llx", (unsigned long long)id);
}

char *
pact_map(const char *beginning, const char *poll, size_t len)
{
	char	*map;

	return (asprintf(&map, "%s%.*s", beginning, (int)len, poll) == -1 ?
	    NULL : map);
}

double
pact_number(const struct kennel_replica *r, const char *map, const char *key)
{
	const char	*v = kennel_get(r, map, key, strlen(key), NULL);

	return (v == NULL ? 0 : strtod(v, NULL));
}

/* ---- messages to clients ---- */

/* Ends t and sends it to one socket. */
static void
pact_send(struct pact_socket *ps, struct js_text *t)
{
	if (js_end(t) == -1)
		return;
	kennel_send(ps->socket, t->data, t->len, 0);
	free(t->data);
}

static void
pact_error(struct pact_socket *ps, const char *text)
{
	struct js_text	 t;

	if (js_begin(&t) == -1)
		return;
	fputs("{\"type\":\"error\",\"data\":", t.f);
	js_write_string(t.f, text, strlen(text));
	putc('}', t.f);
	pact_send(ps, &t);
}

static void
pact_limit_error(struct pact_socket *ps, const char *what, size_t max)
{
	char	 text[128];

	snprintf(text, sizeof(text), "too %s, at most %zu", what, max);
	pact_error(ps, text);
}

/* The session's properties, as logged in: JSON. */
static const char *
pact_properties(const struct pact_socket *ps)
{
	const char	*v;

	v = kennel_get(kennel_socket_replica(ps->socket), "profiles",
	    ps->session, strlen(ps->session), NULL);
	return (v == NULL ? "{}" : v);
}

/* Those that all may see. */
static const char *
pact_public(struct pact_socket *ps)
{
	const char	*all = pact_properties(ps), *key;
	struct js_text	 t;
	json_t		*o, *v;
	void		*tmp;
	int		 deep;

	if (ps->public != NULL)
		return (ps->public);
	o = js_parse(all, strlen(all), &deep);
	json_object_foreach_safe(o, tmp, key, v)
		if (*key == '_' || strcmp(key, "subscriptions") == 0)
			json_object_del(o, key);
	if (o != NULL && js_begin(&t) == 0) {
		js_write(t.f, o);
		if (js_end(&t) == 0)
			ps->public = t.data;
	}
	json_decref(o);
	return (ps->public == NULL ? "{}" : ps->public);
}

static void
pact_write_public(FILE *f, struct pact_socket *ps)
{
	fprintf(f, "{\"suffix\":%.0f,\"properties\":%s", ps->suffix,
	    pact_public(ps));
}

static void
pact_write_private(FILE *f, const struct pact_socket *ps)
{
	const char	*uid;
	size_t		 len;

	uid = kennel_socket_uid(ps->socket, &len);
	fprintf(f, "{\"suffix\":%.0f,\"properties\":%s,\"id\":", ps->suffix,
	    pact_properties(ps));
	js_write_string(f, uid, len);
	fputs(",\"connectionDetails\":", f);
	pact_write_details(f, ps->socket);
	fprintf(f, ",\"role\":\"%s\"}", ps->admin ? "admin" : "user");
}

static void
pact_profile(struct pact_socket *ps)
{
	struct js_text	 t;

	if (js_begin(&t) == -1)
		return;
	fputs("{\"type\":\"profile\",\"data\":", t.f);
	pact_write_private(t.f, ps);
	putc('}', t.f);
	pact_send(ps, &t);
}

static void
pact_write_config(FILE *f, const struct kennel_replica *r)
{
	const char	*config;
	size_t		 len = 0;

	config = kennel_get(r, "room", "config", 6, &len);
	fputs("{\"type\":\"config\",\"data\":", f);
	js_write_string(f, config, len);
	putc('}', f);
}

struct pact_list {
	FILE	*f;
	size_t	 n;			/* members so far */
};

static void
pact_tally_cb(const char *key, size_t key_len, const char *value, size_t len,
    void *arg)
{
	struct pact_list	*l = arg;

	(void)len;
	if (l->n++ > 0)
		putc(',', l->f);
	pact_write_name(l->f, key, key_len);
	fprintf(l->f, ":%s", value);
}

static int
pact_begin_poll(struct js_text *t, const struct kennel_replica *r,
    const struct pact_kind *kind, const char *poll, size_t len)
{
	char			*tally = pact_map(kind->tally, poll, len);
	struct pact_list	 list = { 0 };

	if (tally == NULL || js_begin(t) == -1) {
		free(tally);
		return (-1);
	}
	fprintf(t->f, "{\"type\":\"%s\",\"data\":{\"id\":", kind->type);
	pact_write_name(t->f, poll, len);
	fputs(",\"stats\":{", t->f);
	list.f = t->f;
	kennel_each(r, tally, pact_tally_cb, &list);
	fputs("}}}", t->f);
	free(tally);
	return (0);
}

static int
pact_begin_counter(struct js_text *t, const char *id, size_t id_len,
    const char *value)
{
	if (js_begin(t) == -1)
		return (-1);
	fputs("{\"type\":\"counter\",\"data\":{\"id\":", t->f);
	pact_write_name(t->f, id, id_len);
	fprintf(t->f, ",\"value\":%s}}", value);
	return (0);
}

/* ---- topics ---- */

/* The topics that hear of event with this id: two names in one allocation. */
struct pact_topics {
	const char	*at[3];
	char		*one, *all;
};

static int
pact_topics(struct pact_topics *t, const char *event, const char *id,
    size_t id_len)
{
	memset(t, 0, sizeof(*t));
	if (asprintf(&t->one, "s%s:%.*s", event, (int)id_len, id) == -1)
		t->one = NULL;
	if (asprintf(&t->all, "s%s:all", event) == -1)
		t->all = NULL;
	t->at[0] = t->one;
	t->at[1] = t->all;
	return (t->one == NULL || t->all == NULL ? -1 : 0);
}

static void
pact_topics_free(struct pact_topics *t)
{
	free(t->one);
	free(t->all);
}

/* To those here who have subscribed; ends text. */
static void
pact_publish(struct kennel_replica *r, const char *event, const char *id,
    size_t id_len, struct js_text *text)
{
	struct pact_topics	 t;

	if (js_end(text) == 0 && pact_topics(&t, event, id, id_len) == 0) {
		kennel_replica_publish(r, t.at, text->data, text->len, 0);
		pact_topics_free(&t);
	}
	free(text->data);
}

/* ---- what has changed ---- */

static void
pact_tell_poll(struct kennel_replica *r, const struct pact_kind *kind,
    const char *poll, size_t len)
{
	struct js_text	 t;

	if (pact_begin_poll(&t, r, kind, poll, len) == 0)
		pact_publish(r, kind->type, poll, len, &t);
}

static void
pact_tell_counter(struct kennel_replica *r, const char *id, size_t len,
    const char *value)
{
	struct js_text	 t;

	if (pact_begin_counter(&t, id, len, value) == 0)
		pact_publish(r, "counter", id, len, &t);
}

static void
pact_tell_config(struct kennel_replica *r)
{
	struct pact_room	*room = kennel_replica_data(r);
	struct js_text		 t;

	if (js_begin(&t) == -1)
		return;
	pact_write_config(t.f, r);
	if (js_end(&t) == 0 && room->strangers == 0)
		kennel_replica_emit(r, t.data, t.len, 0);
	else if (t.data != NULL)
		/* Who has not joined gets it then. */
		for (struct pact_socket *ps = room->first; ps != NULL;
		    ps = ps->next)
			if (ps->joined)
				kennel_send(ps->socket, t.data, t.len, 0);
	free(t.data);
}

static void
pact_properties_changed(struct kennel_replica *r, const char *session,
    size_t len)
{
	struct pact_room	*room = kennel_replica_data(r);

	for (struct pact_socket *ps = room->first; ps != NULL; ps = ps->next)
		if (strlen(ps->session) == len &&
		    memcmp(ps->session, session, len) == 0) {
			free(ps->public);
			ps->public = NULL;
		}
}

static int
change_is(const struct kennel_change *c, const char *map)
{
	return (c->map_len == strlen(map) &&
	    memcmp(c->map, map, c->map_len) == 0);
}

/* Has a change before this one been in the same map? */
static int
change_repeats(const struct kennel_change *first,
    const struct kennel_change *c)
{
	for (; first < c; first++)
		if (first->map_len == c->map_len &&
		    memcmp(first->map, c->map, c->map_len) == 0)
			return (1);
	return (0);
}

static void
pact_step(struct kennel_replica *r, const struct kennel_change *changes,
    size_t n, const char *data, size_t len)
{
	static const struct pact_kind *const	 kinds[] = {
		&pact_poll, &pact_ephemeral
	};
	const struct kennel_change		*c;
	size_t					 head;

	(void)data, (void)len;
	for (c = changes; c < changes + n; c++) {
		if (change_is(c, "counters") && c->value != NULL)
			pact_tell_counter(r, c->key, c->key_len,
			    kennel_get(r, "counters", c->key, c->key_len,
			    NULL));
		else if (change_is(c, "profiles"))
			pact_properties_changed(r, c->key, c->key_len);
		else if (change_is(c, "room") && c->key_len == 6 &&
		    memcmp(c->key, "config", 6) == 0)
			pact_tell_config(r);
		for (size_t k = 0; k < 2; k++) {
			head = strlen(kinds[k]->votes);
			if (c->map_len >= head && memcmp(c->map,
			    kinds[k]->votes, head) == 0 &&
			    !change_repeats(changes, c))
				pact_tell_poll(r, kinds[k], c->map + head,
				    c->map_len - head);
		}
	}
}

struct pact_walk {
	struct kennel_replica *r;
	const struct pact_kind *kind;
	struct pact_socket *to;		/* NULL: to all who have subscribed */
};

static void
pact_walk_polls_cb(const char *key, size_t key_len, const char *value,
    size_t len, void *arg)
{
	const struct pact_walk	*w = arg;
	struct js_text		 t;

	(void)value, (void)len;
	if (w->to == NULL)
		pact_tell_poll(w->r, w->kind, key, key_len);
	else if (pact_begin_poll(&t, w->r, w->kind, key, key_len) == 0)
		pact_send(w->to, &t);
}

static void
pact_walk_counters_cb(const char *key, size_t key_len, const char *value,
    size_t len, void *arg)
{
	const struct pact_walk	*w = arg;
	struct js_text		 t;

	(void)len;
	if (w->to == NULL)
		pact_tell_counter(w->r, key, key_len, value);
	else if (pact_begin_counter(&t, key, key_len, value) == 0)
		pact_send(w->to, &t);
}

/* Steps were missed here: everybody hears how things are. */
static void
pact_reset(struct kennel_replica *r)
{
	struct pact_room	*room = kennel_replica_data(r);
	struct pact_walk	 w = { .r = r };

	for (struct pact_socket *ps = room->first; ps != NULL; ps = ps->next) {
		free(ps->public);
		ps->public = NULL;
	}
	pact_tell_config(r);
	kennel_each(r, "counters", pact_walk_counters_cb, &w);
	w.kind = &pact_poll;
	kennel_each(r, w.kind->polls, pact_walk_polls_cb, &w);
	w.kind = &pact_ephemeral;
	kennel_each(r, w.kind->polls, pact_walk_polls_cb, &w);
}

/* ---- what is due ---- */

static void
due_remove(struct pact_socket *ps)
{
	if (ps->due == 0)
		return;
	ps->due = 0;
	*(ps->before == NULL ? &due_first : &ps->before->after) = ps->after;
	*(ps->after == NULL ? &due_last : &ps->after->before) = ps->before;
}

/* Nearly always behind all others. */
static void
due_add(struct pact_socket *ps, unsigned ms)
{
	struct pact_socket	*at;

	due_remove(ps);
	ps->due = kennel_time() + ms;
	for (at = due_last; at != NULL && at->due > ps->due; at = at->before)
		;
	ps->before = at;
	ps->after = at == NULL ? due_first : at->after;
	*(ps->before == NULL ? &due_first : &ps->before->after) = ps;
	*(ps->after == NULL ? &due_last : &ps->after->before) = ps;
}

static void
due_cb(void *arg)
{
	struct pact_socket	*ps;
	struct js_text		 t;
	uint64_t		 now = kennel_time();

	(void)arg;
	while ((ps = due_first) != NULL && ps->due <= now) {
		due_add(ps, PACT_PING_MS);
		if (!ps->joined) {
			pact_join(ps);
			continue;
		}
		if (js_begin(&t) == -1)
			continue;
		fprintf(t.f, "{\"type\":\"ping\",\"data\":%.0f}", (double)now);
		pact_send(ps, &t);
	}
}

/* ---- steps ---- */

/* A step of the socket: words, the last NULL.  done may be NULL. */
static int
pact_do(struct pact_socket *ps, kennel_done_cb *done, void *arg,
    const char *const *words)
{
	struct js_text	 t;
	int		 rv = -1;

	if (js_begin(&t) == -1)
		return (-1);
	for (; *words != NULL; words++)
		fwrite(*words, 1, strlen(*words) + 1, t.f);
	if (js_end(&t) == -1)
		return (-1);
	/* What is said in parting is the replica's to say. */
	if (done != NULL)
		rv = kennel_step(ps->socket, t.data, t.len, done, arg);
	else
		rv = kennel_replica_step(kennel_socket_replica(ps->socket),
		    t.data, t.len, NULL, NULL);
	free(t.data);
	return (rv);
}

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

/* ---- coming and going ---- */

static void
pact_joined_cb(struct kennel_socket *s, int err, void *arg)
{
	struct pact_socket	*ps = kennel_socket_data(s);
	struct kennel_replica	*r = kennel_socket_replica(s);
	struct js_text		 t;

	(void)arg;
	if (err == ECANCELED)
		return;
	if (err != 0) {
		if (!ps->told)
			pact_error(ps, pact_refusal(err));
		ps->told = 1;
		ps->asked = err == ETIMEDOUT;
		if (err == EAGAIN)
			due_add(ps, PACT_RETRY_MS);
		return;
	}
	ps->joined = 1;
	ps->room->strangers--;
	ps->suffix = pact_number(r, "suffixes", ps->session);
	due_add(ps, PACT_PING_MS);
	if (js_begin(&t) == 0) {
		pact_write_config(t.f, r);
		pact_send(ps, &t);
	}
	pact_profile(ps);
}

static void
pact_join(struct pact_socket *ps)
{
	char		 hex[PACT_REPLICA + 1];
	const char	*words[] = { "join", ps->session, hex, NULL };

	pact_replica_hex(hex, kennel_replica_id(kennel_socket_replica(
	    ps->socket)));
	ps->asked = 1;
	if (pact_do(ps, pact_joined_cb, NULL, words) == -1) {
		ps->asked = 0;
		due_add(ps, PACT_RETRY_MS);
	}
}

static int
pact_open(struct kennel_socket *s)
{
	struct pact_room	*room;
	struct pact_socket	*ps;
	const char		*uid;
	size_t			 len;

	if (kennel_socket_replica(s) == NULL ||
	    (ps = calloc(1, sizeof(*ps))) == NULL)
		return (-1);
	uid = kennel_socket_uid(s, &len);
	if ((ps->session = pact_name(uid, len)) == NULL) {
		free(ps);
		return (-1);
	}
	room = kennel_replica_data(kennel_socket_replica(s));
	ps->socket = s;
	ps->room = room;
	room->strangers++;
	ps->next = room->first;
	if (room->first != NULL)
		room->first->prev = ps;
	room->first = ps;
	kennel_socket_set_data(s, ps);
	if (due_timer == NULL)
		due_timer = kennel_timer_new(PACT_TICK_MS, 1, due_cb, NULL);
	pact_join(ps);
	return (0);
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

static void
pact_close(struct kennel_socket *s, const struct kennel_close *why)
{
	struct pact_socket	*ps = kennel_socket_data(s);
	char			 hex[PACT_REPLICA + 1];
	const char		*words[] = { "leave", ps->session, hex, NULL };

	(void)why;
	pact_replica_hex(hex, kennel_replica_id(kennel_socket_replica(s)));
	pact_end_relays(ps, NULL);
	if (ps->asked)
		pact_do(ps, NULL, NULL, words);
	due_remove(ps);
	if (!ps->joined)
		ps->room->strangers--;
	*(ps->prev == NULL ? &ps->room->first : &ps->prev->next) = ps->next;
	if (ps->next != NULL)
		ps->next->prev = ps->prev;
	json_decref(ps->waiting);
	free(ps->session);
	free(ps->public);
	free(ps);
}

/* ---- what clients say ---- */

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
	free(t.data);
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
	free(t.data);
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
	free(t.data);
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

/* The present state, to who has just subscribed. */
static void
pact_state(struct pact_socket *ps, const char *event, const char *id)
{
	static const struct pact_kind *const	 kinds[] = {
		&pact_poll, &pact_ephemeral
	};
	struct pact_walk	 w = { .to = ps };
	const char		*value;
	int			 all = strcmp(id, "all") == 0;

	w.r = kennel_socket_replica(ps->socket);
	for (size_t k = 0; k < 2; k++) {
		if (strcmp(event, kinds[k]->type) != 0)
			continue;
		w.kind = kinds[k];
		if (all)
			kennel_each(w.r, w.kind->polls, pact_walk_polls_cb,
			    &w);
		else if (kennel_get(w.r, w.kind->polls, id, strlen(id),
		    NULL) != NULL)
			pact_walk_polls_cb(id, strlen(id), NULL, 0, &w);
	}
	if (strcmp(event, "counter") != 0)
		return;
	if (all)
		kennel_each(w.r, "counters", pact_walk_counters_cb, &w);
	else if ((value = kennel_get(w.r, "counters", id, strlen(id),
	    NULL)) != NULL)
		pact_walk_counters_cb(id, strlen(id), value, 0, &w);
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
		pact_state(in->ps, e.event, e.id);
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
	free(t.data);
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
	free(t.data);
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
	} else if (json_string_length(key) == 64 && pact_signed(room, len,
	    t.data, json_string_value(key))) {
		in->ps->admin = 1;
		pact_profile(in->ps);
	}
	free(t.data);
}

static void
in_config(struct pact_in *in)
{
	struct js_text	 t;
	const char	*words[] = { "config", NULL, NULL };

	if (js_begin(&t) == -1)
		return;
	js_write_plain(t.f, in->data);
	if (js_end(&t) == -1)
		return;
	words[1] = t.data;
	if (t.len > pact_limits()->config)
		pact_limit_error(in->ps, "long a config, in bytes",
		    pact_limits()->config);
	else if (strlen(t.data) == t.len)
		pact_change(in, pact_done_cb, words);
	free(t.data);
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
		free(t.data);
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
static void
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
	char			*name, *topic = NULL, *type = NULL;

	if (kennel_count(r, "~relayed") == 0)
		return;
	if ((name = pact_name(plain, len)) == NULL ||
	    kennel_get(r, "~relayed", name, strlen(name), NULL) == NULL ||
	    (topic = pact_map("r", name, strlen(name))) == NULL ||
	    (type = pact_map("relay:", plain, len)) == NULL ||
	    js_begin(&t) == -1)
		goto out;
	topics[0] = topic;
	fputs("{\"type\":", t.f);
	js_write_string(t.f, type, strlen(type));
	fputs(",\"data\":{\"type\":", t.f);
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
	free(t.data);
out:
	free(name);
	free(topic);
	free(type);
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

static void
pact_message(struct kennel_socket *s, const struct kennel_message *m)
{
	struct pact_in	 in = { .s = s, .ps = kennel_socket_data(s) };
	json_t		*o, *type;
	int		 deep;

	if (m->binary)
		return;
	if ((o = js_parse(m->data, m->len, &deep)) == NULL && deep)
		pact_limit_error(in.ps, "deeply nested a message", JS_DEPTH);
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

/* ---- rooms ---- */

void
pact_write_users(FILE *f, struct kennel_replica *r)
{
	struct pact_room	*room = kennel_replica_data(r);
	int			 more = 0;

	for (struct pact_socket *ps = room->first; ps != NULL; ps = ps->next) {
		if (!ps->joined)
			continue;
		if (more++)
			putc(',', f);
		pact_write_public(f, ps);
		fprintf(f, ",\"lastCommunication\":%.0f}", (double)kennel_socket_last(ps->socket));
	}
}

static int
pact_start(struct kennel_replica *r)
{
	struct pact_room	*room;

	if (nrooms >= pact_limits()->rooms ||
	    (room = calloc(1, sizeof(*room))) == NULL)
		return (-1);
	nrooms++;
	kennel_replica_set_data(r, room);
	return (0);
}

static void
pact_stop(struct kennel_replica *r)
{
	free(kennel_replica_data(r));
	nrooms--;
}

const struct kennel_app pact_app = {
	.name = "pact",
	.onstart = pact_start,
	.onstop = pact_stop,
	.receive = pact_receive,
	.onopen = pact_open,
	.onmessage = pact_message,
	.onclose = pact_close,
	.ongossip = pact_gossip,
	.decide = pact_decide,
	.ongone = pact_gone,
	.onstep = pact_step,
	.onreset = pact_reset,
};
