/*
 * pact: what sockets hear: of themselves, and of what has changed.
 *
 * Who wants what is a topic: "s" and event:id for what a client has subscribed
 * to, "r" and a type for what an admin relays.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "shardd/apps/pact_due.h"
#include "shardd/apps/pact_names.h"
#include "shardd/apps/pact_recount.h"
#include "shardd/apps/pact_tell.h"

/* ---- messages to clients ---- */

/* Ends t and sends it to one socket. */
void
pact_send(struct pact_socket *ps, struct js_text *t)
{
	if (js_end(t) == -1)
		return;
	kennel_send(ps->socket, t->data, t->len, 0);
	js_clear(t);
}

void
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

void
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

/* The properties that all may see: JSON. */
static const char *
pact_public(struct pact_socket *ps)
{
	const char	*all = pact_properties(ps), *key;
	struct js_text	 t;
	json_t		*o, *v;
	void		*tmp;
	const char	*why;

	if (ps->public != NULL)
		return (ps->public);
	o = js_parse(all, strlen(all), JS_DEPTH_MAX, &why);
	json_object_foreach_safe(o, tmp, key, v)
		if (*key == '_' || strcmp(key, "subscriptions") == 0)
			json_object_del(o, key);
	if (o != NULL && js_begin(&t) == 0) {
		js_write(t.f, o);
		if (js_end(&t) == 0)
			ps->public = strdup(t.data);
		js_clear(&t);
	}
	json_decref(o);
	return (ps->public == NULL ? "{}" : ps->public);
}

void
pact_write_public(FILE *f, struct pact_socket *ps)
{
	fprintf(f, "{\"suffix\":%.0f,\"properties\":%s", ps->suffix,
	    pact_public(ps));
}

void
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

void
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

void
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

int
pact_topics(struct pact_topics *t, const char *event, const char *id,
    size_t id_len)
{
	size_t	 n = strlen(event), one = n + id_len + 3, all = n + 6;

	memset(t, 0, sizeof(*t));
	if ((t->names = malloc(one + all)) == NULL)
		return (-1);
	t->at[0] = t->names;
	t->at[1] = t->names + one;
	snprintf(t->names, one, "s%s:%.*s", event, (int)id_len, id);
	snprintf(t->names + one, all, "s%s:all", event);
	return (0);
}

void
pact_topics_free(struct pact_topics *t)
{
	free(t->names);
}

/* To the sockets here that have subscribed; ends text. */
static void
pact_publish(struct kennel_replica *r, const char *event, const char *id,
    size_t id_len, struct js_text *text)
{
	struct pact_topics	 t;

	if (js_end(text) == 0 && pact_topics(&t, event, id, id_len) == 0) {
		kennel_replica_publish(r, t.at, text->data, text->len, 0);
		pact_topics_free(&t);
	}
	js_clear(text);
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
	struct pact_socket	*ps;
	struct js_text		 t;

	if (js_begin(&t) == -1)
		return;
	pact_write_config(t.f, r);
	/* A socket that has not joined gets it then; one that comes from another
	 * process, if it has another one. */
	if (js_end(&t) == 0)
		for (size_t i = 0; i < room->roll.n; i++) {
			ps = pact_on_roll(room->roll.at[i].node);
			if (ps != NULL && ps->joined &&
			    kennel_send(ps->socket, t.data, t.len, 0) == -1 &&
			    errno == EAGAIN)
				pact_due_add(ps, PACT_DUE_AGAIN);
		}
	js_clear(&t);
}

/* What all may see of the session is to be looked up again. */
static void
pact_properties_changed(struct kennel_replica *r, const char *session,
    size_t len)
{
	struct pact_room	*room = kennel_replica_data(r);
	struct pact_roll_node	*n;
	struct pact_socket	*ps;
	char			*name = strndup(session, len);

	n = name == NULL ? NULL : pact_roll_session(&room->roll, name);
	for (; n != NULL; n = n->twin) {
		ps = pact_on_roll(n);
		free(ps->public);
		ps->public = NULL;
	}
	free(name);
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

void
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
void
pact_reset(struct kennel_replica *r)
{
	struct pact_room	*room = kennel_replica_data(r);
	struct pact_walk	 w = { .r = r };
	struct pact_socket	*ps;

	for (size_t i = 0; i < room->roll.n; i++)
		if ((ps = pact_on_roll(room->roll.at[i].node)) != NULL) {
			free(ps->public);
			ps->public = NULL;
		}
	pact_tell_config(r);
	kennel_each(r, "counters", pact_walk_counters_cb, &w);
	w.kind = &pact_poll;
	kennel_each(r, w.kind->polls, pact_walk_polls_cb, &w);
	w.kind = &pact_ephemeral;
	kennel_each(r, w.kind->polls, pact_walk_polls_cb, &w);
	pact_recount(r);
}

/* The present state, to a socket that has just subscribed. */
void
pact_tell_state(struct pact_socket *ps, const char *event, const char *id)
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
