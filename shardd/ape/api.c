/* kennel-ape.h: calls, clients, pushes. */
#include <errno.h>
#include <string.h>

#include "shardd/ape/agent.h"
#include "shardd/ape/call.h"
#include "shardd/ape/journey.h"
#include "shardd/ape/push.h"
#include "shardd/ape/registry.h"

const struct ape_value *
ape_argument(const struct ape_call *c)
{
	return (c == NULL ? NULL : (const struct ape_value *)c->argument);
}

const char *
ape_endpoint(const struct ape_call *c)
{
	return (c == NULL || c->endpoint == NULL ? "" : c->endpoint->name);
}

const char *
ape_client_id(const struct ape_call *c)
{
	return (c == NULL ? "" : c->id);
}

const char *
ape_session(const struct ape_call *c)
{
	return (c == NULL ? "" : c->session);
}

const char *
ape_session_id(const struct ape_call *c)
{
	return (c == NULL ? NULL : c->session_id);
}

struct ape_client *
ape_caller(const struct ape_call *c)
{
	return (c == NULL ? NULL : c->client);
}

struct kennel_replica *
ape_replica(const struct ape_call *c)
{
	return (c == NULL ? NULL : c->room->replica);
}

/* ---- what the browser is ---- */

/* Put {name: value, ...} of those that are known; a '_' within is a '.'. */
static void
api_facts(struct ape_call *c, struct ape_value *o, const char *name,
    const struct slice *facts, const char *const *names, size_t n)
{
	struct ape_value	*part = ape_object(c);
	char			 text[64];

	for (size_t i = 0; i < n; i++) {
		size_t	 len = facts[i].len;

		if (len == 0 || len >= sizeof(text))
			continue;
		memcpy(text, facts[i].data, len);
		for (size_t j = 0; j < len && i == 1; j++)
			if (text[j] == '_')
				text[j] = '.';
		ape_put(c, part, names[i], ape_string_n(c, text, len));
	}
	ape_put(c, o, name, part);
}

/* The text that the caller's browser sent. */
static const char *
api_user_agent(struct ape_call *c)
{
	if (c->request != NULL)
		return (kennel_request_header(c->request, "User-Agent"));
	return (c->client == NULL ? NULL :
	    kennel_socket_header(c->client->socket, "User-Agent"));
}

const struct ape_value *
ape_agent(struct ape_call *c)
{
	static const char *const	 names[] = { "name", "version" };
	static const char *const	 parts[] = { "type", "vendor", "model" };
	struct ape_value		*o;
	const char			*text;
	struct agent			 a;

	if (c == NULL || c->agent != NULL)
		return (c == NULL ? NULL : (const struct ape_value *)c->agent);
	text = api_user_agent(c);
	agent_parse(&a, text);
	o = ape_object(c);
	if (text != NULL)
		ape_put(c, o, "ua", ape_string(c, text));
	api_facts(c, o, "browser", (const struct slice[]){ a.browser,
	    a.browser_version }, names, 2);
	api_facts(c, o, "engine", &a.engine, names, 1);
	api_facts(c, o, "os", (const struct slice[]){ a.os, a.os_version }, names,
	    2);
	api_facts(c, o, "device", (const struct slice[]){ a.device_type,
	    a.vendor, a.model }, parts, 3);
	c->agent = (const struct jss *)o;
	return (o);
}

/* ---- pushes ---- */

/* Is it a call whose group is still here?  If not: errno. */
static int
api_is_here(const struct room *room)
{
	if (room != NULL && room->replica != NULL)
		return (1);
	errno = ENOTCONN;
	return (0);
}

/* May a call push that?  If not: errno. */
static int
api_may_push(const struct ape_call *c, const char *type)
{
	if (!api_is_here(c == NULL ? NULL : c->room))
		return (0);
	if (type != NULL)
		return (1);
	errno = EINVAL;
	return (0);
}

int
ape_everyone(struct ape_call *c, const char *type,
    const struct ape_value *data)
{
	struct push_but	 but = { NULL, 0, NULL };

	if (!api_may_push(c, type))
		return (-1);
	if (c->client != NULL && !c->client->stream)
		but.socket = c->client->socket;
	return (push_many(c->room, &but, type, (const struct jss *)data));
}

int
ape_others(struct ape_call *c, const char *type, const struct ape_value *data)
{
	struct push_but	 but = { NULL, 0, NULL };

	if (!api_may_push(c, type))
		return (-1);
	if (c->client != NULL && !c->client->stream) {
		but.socket = c->client->socket;
		but.others = 1;
	}
	but.id = but.socket != NULL ? NULL : c->id;
	return (push_many(c->room, &but, type, (const struct jss *)data));
}

int
ape_push(struct ape_client *client, const char *type,
    const struct ape_value *data)
{
	if (client == NULL || type == NULL) {
		errno = client == NULL ? ENOTCONN : EINVAL;
		return (-1);
	}
	return (push_one(client, type, (const struct jss *)data));
}

int
ape_to(struct kennel_replica *r, const char *id, const char *type,
    const struct ape_value *data, ape_sent_cb *sent, void *arg)
{
	if (id == NULL || type == NULL || strlen(id) != APE_ID) {
		errno = EINVAL;
		return (-1);
	}
	return (!api_is_here(room_of(r)) ? -1 : push_to(room_of(r), id, type,
	    (const struct jss *)data, sent, arg));
}

int
ape_broadcast(struct kennel_replica *r, const char *type,
    const struct ape_value *data, const char *except)
{
	struct push_but	 but = { NULL, 0, except };

	if (type == NULL || (except != NULL && strlen(except) != APE_ID)) {
		errno = EINVAL;
		return (-1);
	}
	return (!api_is_here(room_of(r)) ? -1 : push_many(room_of(r), &but,
	    type, (const struct jss *)data));
}

struct ape_call *
ape_values(struct kennel_replica *r)
{
	return (room_of(r) == NULL ? NULL : call_new(room_of(r)));
}

/* ---- clients ---- */

void
ape_each(struct kennel_replica *r, ape_each_cb *cb, void *arg)
{
	struct room		*room = room_of(r);
	struct ape_client	*c;
	struct map_node		*n, *next;
	struct list		*e, *tmp;

	for (n = room == NULL ? NULL : map_first(&room->clients); n != NULL;
	    n = next) {
		next = map_next(&room->clients, n);
		c = container_of(n, struct ape_client, by_id);
		list_each(e, tmp, &c->twins)
			cb(list_entry(e, struct ape_client, twins), arg);
		cb(c, arg);
	}
}

int
ape_ids(struct kennel_replica *r, ape_ids_cb *cb, void *arg)
{
	if (!api_is_here(room_of(r)))
		return (-1);
	if (cb == NULL) {
		errno = EINVAL;
		return (-1);
	}
	return (push_ids(room_of(r), cb, arg));
}

const char *
ape_id(const struct ape_client *c)
{
	return (c == NULL ? "" : c->id);
}

struct kennel_socket *
ape_socket(const struct ape_client *c)
{
	return (c == NULL ? NULL : c->socket);
}

void
ape_set_data(struct ape_client *c, void *data)
{
	if (c != NULL)
		c->data = data;
}

void *
ape_data(const struct ape_client *c)
{
	return (c == NULL ? NULL : c->data);
}

void
ape_ready(struct ape_client *c)
{
	if (c == NULL || c->ready)
		return;
	c->ready = 1;
	call_waited(c);
	journey_touch(c);
}
