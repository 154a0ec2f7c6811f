/* A call of a controller. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "proto/jss_parse.h"
#include "proto/jss_write.h"
#include "shardd/ape/call.h"
#include "shardd/ape/bounds.h"
#include "shardd/ape/journey.h"
#include "shardd/ape/queryid.h"
#include "shardd/ape/refuse.h"
#include "shardd/ape/registry.h"

#define CALL_ANSWER_MAX	(16 << 20)	/* bytes of an answer */
#define CALL_QUERY_MAX	64		/* bytes of a name that a client gives */

static struct buf	 call_kept;

/* ---- life ---- */

struct ape_call *
call_new(struct room *room)
{
	struct jss_pool	 pool;
	struct ape_call	*c;

	jss_pool_init(&pool, bounds_get(BOUND_TREE));
	if ((c = jss_alloc(&pool, sizeof(*c))) == NULL)
		return (NULL);
	memset(c, 0, sizeof(*c));
	c->pool = pool;
	c->room = room;
	room_ref(room);
	list_init(&c->by_client);
	list_push(&room->calls, &c->by_room);
	return (c);
}

/* Free a call, and all that was made for it. */
static void
call_free(struct ape_call *c)
{
	struct ape_client *client = c->client;
	struct jss_pool	 pool = c->pool;

	if (client != NULL)
		client->ncalls -= !list_empty(&c->by_client);
	gather_cancel(&c->gather);
	part_clear(c->parts);
	list_remove(&c->by_client);
	if (client != NULL)
		journey_touch(client);
	list_remove(&c->by_room);
	room_unref(c->room);
	jss_pool_clear(&pool);
}

void
call_abandon(struct ape_client *client)
{
	struct ape_call	*c;

	while (!list_empty(&client->calls)) {
		c = list_entry(client->calls.next, struct ape_call, by_client);
		list_remove(&c->by_client);
		c->client = NULL;
		if (c->gather.missing > 0 && c->request == NULL)
			call_free(c);
	}
}

/* ---- answers ---- */

/* The name under which the caller fetches binary. */
static const char *
call_link(const struct jss *v, void *arg)
{
	const struct ape_call	*c = arg;
	const struct part	*p = v->bytes;

	return (p == NULL || p->fd == -1 ? NULL : download_add(p->fd, p->size,
	    c->session, c->id));
}

/* Write the answer: err, or a value, which is c's, or nothing. */
static void
call_write(struct buf *b, const char *query, const char *err,
    const struct jss *value, struct ape_call *c)
{
	b->max = CALL_ANSWER_MAX;
	if (err != NULL) {
		buf_adds(b, "{\"err\":");
		jss_write_string(b, err, strlen(err));
		buf_add(b, ",", 1);
	} else {
		buf_add(b, "{", 1);
		if (value != NULL) {
			jss_write_member(b, "data", value, call_link, c);
			buf_add(b, ",", 1);
		}
	}
	buf_adds(b, "\"type\":false,\"queryId\":");
	jss_write_string(b, query, strlen(query));
	buf_add(b, "}", 1);
}

/* To a client, by WebSocket. */
static void
call_answer(struct ape_client *client, const char *query, const char *err,
    const struct jss *value, struct ape_call *c)
{
	struct buf	 b = buf_take(&call_kept);

	call_write(&b, query, err, value, c);
	if (b.failed) {
		buf_reset(&b);
		call_write(&b, query, "the answer is too large", NULL, NULL);
	}
	if (!b.failed)
		kennel_send(client->socket, b.data, b.len, 0);
	buf_give(&call_kept, &b);
}

/* To whom has asked by HTTP. */
static void
call_respond(struct kennel_request *q, const char *err,
    const struct jss *value, struct ape_call *c)
{
	struct buf	 b = buf_take(&call_kept);

	b.max = CALL_ANSWER_MAX;
	buf_add(&b, "{", 1);
	if (err == NULL && value != NULL)
		jss_write_member(&b, "data", value, call_link, c);
	buf_add(&b, "}", 1);
	kennel_header(q, "Cache-Control", "no-store");
	if (err != NULL || b.failed)
		refuse(q, 500, err != NULL ? err : "the answer is too large");
	else
		kennel_respond(q, 200, "application/json", b.data, b.len);
	buf_give(&call_kept, &b);
}

/* A call ends. */
static void
call_end(struct ape_call *c, const char *err, const struct jss *value)
{
	if (c->pool.failed && err == NULL)
		err = "out of memory";
	if (c->endpoint != NULL && registry_hooks()->onreply != NULL)
		registry_hooks()->onreply(c, err,
		    err != NULL ? NULL : (const struct ape_value *)value);
	if (c->request != NULL)
		call_respond(c->request, err, value, c);
	else if (c->client != NULL && c->endpoint != NULL)
		call_answer(c->client, c->query, err, value, c);
	call_free(c);
}

void
ape_reply(struct ape_call *c, const struct ape_value *value)
{
	const struct jss	*v = (const struct jss *)value;

	if (c != NULL)
		call_end(c, NULL, v != NULL && v->tag == JSS_UNDEFINED ? NULL :
		    v);
}

void
ape_fail(struct ape_call *c, const char *text)
{
	if (c != NULL)
		call_end(c, text == NULL || *text == '\0' ? "Error" : text, NULL);
}

/* ---- messages ---- */

/* It is no call. */
static void
call_error(struct ape_client *client, const char *why)
{
	if (registry_hooks()->onerror != NULL)
		registry_hooks()->onerror(client, why);
	kennel_log_at(KENNEL_LOG_DEBUG, "ape client=%s sent no call: %s",
	    client->id, why);
}

/* Refuse a call of a client.  fmt's text is the reason. */
static void
call_refuse(struct ape_client *client, const char *query, const char *before,
    struct slice name, const char *after)
{
	struct buf	 b = { .max = CALL_ANSWER_MAX };

	buf_adds(&b, before);
	buf_add(&b, name.data, name.len);
	buf_adds(&b, after);
	buf_add(&b, "", 1);
	call_answer(client, query, b.failed ? "out of memory" : b.data, NULL,
	    NULL);
	buf_clear(&b);
}

/* A name as it is looked for, in place: lower case, no '/' in front. */
static struct slice
call_name(const struct jss *type)
{
	struct slice	 s = slice_of(type->text, type->len);
	char		*at;

	if (s.len > 0 && *s.data == '/')
		s.data++, s.len--;
	for (at = (char *)(uintptr_t)s.data; at < s.data + s.len; at++)
		if (*at >= 'A' && *at <= 'Z')
			*at = (char)(*at | 0x20);
	return (s);
}

/* Why a call may not be served at this time, or NULL. */
static const char *
call_is_late(const struct jss *root)
{
	const struct jss	*at = jss_member(root, "createdAt", 9);
	double			 made = jss_number(at), now;

	if (isnan(made))
		return (NULL);
	now = (double)kennel_time();
	if (made > now + bounds_get(BOUND_SKEW))
		return ("createdAt ahead of server");
	if (made < now - bounds_get(BOUND_AGE))
		return ("request is old");
	return (NULL);
}

/* Give the name to answer under: the client's own, or that of the text. */
static const char *
call_query(struct ape_call *c, const struct jss *root, uint32_t hash)
{
	const struct jss	*own = jss_member(root, "queryId", 7);
	char			*text;

	if (own != NULL && own->kind == JSS_STRING && own->len > 0 &&
	    own->len <= CALL_QUERY_MAX)
		return (own->text);
	if ((text = jss_alloc(&c->pool, QUERYID_SIZE)) != NULL)
		queryid_text(text, hash);
	return (text);
}

/* All that the call waits for is there, or one body of it has not come. */
static void
call_gathered(struct gather *g, const char *hash)
{
	struct ape_call	*c = container_of(g, struct ape_call, gather);
	struct buf	 b = { 0 };

	g->missing = 0;
	if (hash != NULL) {
		buf_addf(&b, "Upload timeout: %s/%s", c->query, hash);
		call_end(c, b.failed ? "Upload timeout" : b.data, NULL);
		buf_clear(&b);
		return;
	}
	if (registry_hooks()->onreceive != NULL)
		registry_hooks()->onreceive(c);
	c->endpoint->fn(c);		/* may free it */
}

/* The call runs, now or when its bodies are there. */
static void
call_run(struct ape_call *c)
{
	c->gather.pool = &c->pool;
	c->gather.parts = &c->parts;
	c->gather.replica = c->room->replica;
	c->gather.done = call_gathered;
	if (gather_find(&c->gather, c->argument, c->session) == -1)
		call_end(c, "too many files", NULL);
	else
		gather_begin(&c->gather, c->query, c->session, c->id);
}

/* The call is one: it goes to its controller, or is refused. */
static void
call_serve(struct ape_call *c, struct ape_client *client,
    const struct jss *root, const struct jss *type, struct slice text,
    uint64_t recent)
{
	const struct slice	 none = { NULL, 0 };
	struct slice		 name = call_name(type);
	uint32_t		 hash = queryid_hash(text.data, text.len);
	const char		*why;

	if ((c->query = call_query(c, root, hash)) == NULL)
		goto drop;
	c->endpoint = registry_find(name.data, name.len);
	if (c->endpoint == NULL) {
		call_refuse(client, c->query, "TypeError: \"", name,
		    "\" was not found");
		goto drop;
	}
	if ((why = call_is_late(root)) != NULL) {
		call_refuse(client, c->query, why, none, "");
		goto drop;
	}
	if (recent_add(&client->recent, recent, kennel_time(),
	    bounds_get(BOUND_AGE))) {
		call_refuse(client, c->query, "call ", slice_str(c->query),
		    " was made already");
		goto drop;
	}
	if (client->ncalls >= bounds_get(BOUND_CALLS)) {
		call_refuse(client, c->query, "too many calls are not answered "
		    "yet", none, "");
		goto drop;
	}
	c->client = client;
	strcpy(c->id, client->id);
	strcpy(c->session, client->session);
	if (client->session_id != NULL)
		c->session_id = jss_copy(&c->pool, client->session_id,
		    strlen(client->session_id));
	c->argument = jss_member(root, "data", 4);
	list_push(&client->calls, &c->by_client);
	client->ncalls++;
	call_run(c);
	return;
drop:
	call_free(c);
}

/* Read a text into c: its root, with a type, or NULL and *why it is no call. */
static const struct jss *
call_read(struct ape_call *c, const char *text, size_t len, int checked,
    const struct jss **type, const char **why)
{
	const struct jss	*root;

	*type = NULL;
	if ((root = jss_parse(&c->pool, text, len, checked, why)) == NULL)
		return (NULL);
	*type = jss_member(root, "type", 4);
	if (root->kind != JSS_OBJECT)
		*why = "not an object";
	else if (*type == NULL || (*type)->kind != JSS_STRING ||
	    (*type)->len == 0)
		*why = "it has no type";
	return (root);
}

/* Newer clients say which channels they listen to: that is no mistake. */
static int
call_subscribes(const struct jss *root, const struct jss *type)
{
	return (type == NULL && (jss_member(root, "subscribe", 9) != NULL ||
	    jss_member(root, "unsubscribe", 11) != NULL));
}

void
call_message(struct ape_client *client, const char *text, size_t len,
    int checked)
{
	const struct jss	*root, *type;
	struct ape_call		*c;
	const char		*why;
	uint64_t		 recent;

	if (!client->ready) {
		if (room_wait(client, text, len) == -1)
			kennel_close(client->socket, 1008, "too much at once");
		return;
	}
	if ((c = call_new(client->room)) == NULL) {
		call_error(client, "out of memory");
		return;
	}
	recent = recent_hash(text, len);
	recent_expect(&client->recent, recent);
	root = call_read(c, text, len, checked, &type, &why);
	if (why != NULL) {
		if (!call_subscribes(root, type))
			call_error(client, why);
		call_free(c);
		return;
	}
	call_serve(c, client, root, type, slice_of(text, len), recent);
}

/* Its endpoint is not there. */
static void
call_unknown(struct kennel_request *q, struct slice name)
{
	struct buf	 b = { .max = CALL_ANSWER_MAX };

	buf_adds(&b, "Controller \"");
	buf_add(&b, name.data, name.len);
	buf_adds(&b, "\" not found");
	buf_add(&b, "", 1);
	refuse(q, 404, b.failed ? "Controller not found" : b.data);
	buf_clear(&b);
}

void
call_request(struct kennel_request *q, const char *session)
{
	struct room		*room = room_of(kennel_request_replica(q));
	const struct jss	*root, *type;
	struct slice		 name;
	struct ape_call		*c;
	const char		*text, *why;
	size_t			 len;

	if ((c = call_new(room)) == NULL) {
		refuse(q, 503, "out of memory");
		return;
	}
	text = kennel_request_body(q, &len);
	root = call_read(c, text, len, 0, &type, &why);
	if (why != NULL) {
		if (call_subscribes(root, type))
			kennel_respond(q, 200, "application/json", "{}", 2);
		else
			refuse(q, 500, why);
		call_free(c);
		return;
	}
	name = call_name(type);
	if ((c->endpoint = registry_find(name.data, name.len)) == NULL) {
		call_unknown(q, name);
		call_free(c);
		return;
	}
	c->request = q;
	strcpy(c->id, session);
	strcpy(c->session, session);
	c->session_id = kennel_request_cookie(q, "sessionId", NULL);
	c->argument = jss_member(root, "data", 4);
	if ((c->client = room_find(room, session, APE_ID)) != NULL) {
		list_push(&c->client->calls, &c->by_client);
		c->client->ncalls++;
	}
	if ((c->query = call_query(c, root, queryid_hash(text, len))) == NULL)
		call_end(c, "out of memory", NULL);
	else
		call_run(c);
}

void
call_waited(struct ape_client *client)
{
	struct room_text	*t;

	while (!list_empty(&client->waiting)) {
		t = list_entry(client->waiting.next, struct room_text, at);
		list_remove(&t->at);
		call_message(client, t->text, t->len, 0);
		free(t);
	}
	client->waiting_bytes = 0;
}
