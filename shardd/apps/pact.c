/*
 * pact: rooms with profiles, chat, polls, counters and a configuration.
 *
 * This file has the rooms and their sockets, coming and going, and the pings.  The
 * others, from above: pact_http answers requests, pact_users tells who is there,
 * pact_say takes what clients say, pact_tell has what sockets hear of that; below
 * them pact_room is what a room's state becomes of a step, and pact_place makes
 * place in it; pact_socket, pact_roll, pact_sign and pact_names know none of them.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "shardd/apps/apps.h"
#include "shardd/apps/pact_due.h"
#include "shardd/apps/pact_http.h"
#include "shardd/apps/pact_names.h"
#include "shardd/apps/pact_room.h"
#include "shardd/apps/pact_say.h"
#include "shardd/apps/pact_tell.h"
#include "shardd/apps/pact_users.h"

static size_t			 nrooms;

static void	 pact_join(struct pact_socket *ps);

/* ---- what is due ---- */

/* ps is here for good, if it came from another process. */
static void
pact_settled(struct pact_socket *ps)
{
	free(ps->blob);
	ps->blob = NULL;
}

/* Ping the client, and again later. */
static void
pact_ping(struct pact_socket *ps)
{
	struct js_text	 t;

	pact_due_add(ps, PACT_DUE_PING);
	pact_settled(ps);
	if (js_begin(&t) == -1)
		return;
	fprintf(t.f, "{\"type\":\"ping\",\"data\":%.0f}",
	    (double)kennel_time());
	pact_send(ps, &t);
}

/* The client hears of the room's configuration. */
static void
pact_send_config(struct pact_socket *ps)
{
	struct js_text	 t;

	if (js_begin(&t) == -1)
		return;
	pact_write_config(t.f, kennel_socket_replica(ps->socket));
	pact_send(ps, &t);
}

/* Another try to join, or what the client has not heard yet. */
static void
pact_again(struct pact_socket *ps)
{
	if (!ps->joined) {
		pact_join(ps);
		return;
	}
	pact_due_add(ps, PACT_DUE_PING);
	pact_settled(ps);
	pact_send_config(ps);
}

static void	(*const pact_dues[PACT_DUE_N])(struct pact_socket *) = {
	[PACT_DUE_PING] = pact_ping, [PACT_DUE_AGAIN] = pact_again,
};

/* ---- coming and going ---- */

/* The step that joins was decided: the client hears of its room. */
static void
pact_joined_cb(struct kennel_socket *s, int err, void *arg)
{
	struct pact_socket	*ps = kennel_socket_data(s);
	struct kennel_replica	*r = kennel_socket_replica(s);

	(void)arg;
	if (err == ECANCELED)
		return;
	if (err != 0) {
		if (!ps->told)
			pact_error(ps, pact_refusal(err));
		ps->told = 1;
		ps->asked = err == ETIMEDOUT;
		/* The socket may have joined yet: another try would count twice. */
		if (err == ETIMEDOUT)
			kennel_close(s, 1013, "try again later");
		if (err == EAGAIN)
			pact_due_add(ps, PACT_DUE_AGAIN);
		return;
	}
	ps->joined = 1;
	ps->suffix = pact_number(r, "suffixes", ps->session);
	pact_keep(ps);
	pact_due_add(ps, PACT_DUE_PING);
	pact_send_config(ps);
	pact_profile(ps);
}

/* Ask to join the room. */
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
		pact_due_add(ps, PACT_DUE_AGAIN);
	}
}

/* What is known of a socket here.  0, or -1. */
static struct pact_socket *
pact_come(struct kennel_socket *s)
{
	struct pact_room	*room;
	struct pact_socket	*ps;
	const char		*uid;
	size_t			 len;

	if (kennel_socket_replica(s) == NULL ||
	    (ps = calloc(1, sizeof(*ps))) == NULL)
		return (NULL);
	uid = kennel_socket_uid(s, &len);
	room = kennel_replica_data(kennel_socket_replica(s));
	ps->on_roll.session = ps->session = pact_name(uid, len);
	if (ps->session == NULL ||
	    pact_roll_add(&room->roll, &ps->on_roll) == -1) {
		free(ps->session);
		free(ps);
		return (NULL);
	}
	ps->socket = s;
	ps->room = room;
	kennel_socket_set_data(s, ps);
	pact_due_start(pact_dues);
	return (ps);
}

/* Nothing of ps is left here. */
static void
pact_go(struct pact_socket *ps)
{
	pact_due_remove(ps);
	pact_roll_remove(&ps->room->roll, &ps->on_roll);
	json_decref(ps->waiting);
	free(ps->session);
	free(ps->public);
	free(ps->blob);
	free(ps);
}

/* kennel_app's onopen. */
static int
pact_open(struct kennel_socket *s)
{
	struct pact_socket	*ps = pact_come(s);

	if (ps == NULL)
		return (-1);
	pact_join(ps);
	return (0);
}

/* kennel_app's onclose. */
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
	pact_go(ps);
}

/* ---- moving ---- */

/* What the room's configuration is, as a number: FNV-1a. */
static uint64_t
pact_config_sum(const struct kennel_replica *r)
{
	uint64_t	 sum = 14695981039346656037u;
	const char	*config;
	size_t		 len = 0;

	config = kennel_get(r, "room", "config", 6, &len);
	for (size_t i = 0; config != NULL && i < len; i++)
		sum = (sum ^ (unsigned char)config[i]) * 1099511628211u;
	return (sum);
}

/* kennel_app's freeze: where it was, what it may, and what it relays. */
static int
pact_freeze(struct kennel_socket *s, struct kennel_blob *b)
{
	struct pact_socket	*ps = kennel_socket_data(s);
	struct kennel_replica	*r = kennel_socket_replica(s);
	struct js_text		 t;
	const char		*topic;
	int			 rv = -1;

	if (!ps->joined || ps->waiting != NULL) {
		errno = EAGAIN;
		return (-1);
	}
	if (js_begin(&t) == -1)
		return (-1);
	fprintf(t.f, "%016" PRIx64 " %.17g %d %u %u %016" PRIx64 "%c",
	    kennel_replica_id(r), ps->suffix, ps->admin, ps->subscriptions,
	    ps->relays, pact_config_sum(r), 0);
	for (size_t i = 0; (topic = kennel_topic(s, i)) != NULL; i++)
		if (*topic == 'r')
			fwrite(topic, 1, strlen(topic) + 1, t.f);
	if (js_end(&t) == 0)
		rv = kennel_blob_add(b, t.data, t.len);
	js_clear(&t);
	return (rv);
}

/* One of the steps by which the room hears that what was where ps's blob says is here
 * now; or (back) there again. */
static void
pact_move_step(struct pact_socket *ps, const char *verb, const char *what,
    int back)
{
	char		 here[PACT_REPLICA + 1], there[PACT_REPLICA + 1];
	const char	*words[] = { verb, what, back ? here : there,
			    back ? there : here, NULL };

	snprintf(there, sizeof(there), "%s", ps->blob);
	pact_replica_hex(here, kennel_replica_id(kennel_socket_replica(
	    ps->socket)));
	pact_do(ps, NULL, NULL, words);
}

/* All of them: of ps, and of what its blob says that it relays. */
static void
pact_move(struct pact_socket *ps, int back)
{
	const char	*at = ps->blob + strlen(ps->blob) + 1;

	pact_move_step(ps, "move", ps->session, back);
	for (; at < ps->blob + ps->blob_len; at += strlen(at) + 1)
		pact_move_step(ps, "moverelay", at + 1, back);
}

/*
 * The process that had it has died: what had been kept of it, nothing if it had not
 * joined yet.
 */
static int
pact_revive(struct kennel_socket *s, const char *data, size_t len)
{
	struct pact_socket	*ps;
	char			 text[PACT_REPLICA + 2 * JS_NUMBER];
	char			 from[PACT_REPLICA + 1];

	if (len >= sizeof(text) || (ps = pact_come(s)) == NULL)
		return (-1);
	if (len == 0)
		return (0);
	memcpy(text, data, len);
	text[len] = '\0';
	if (sscanf(text, "%16s %lg %d", from, &ps->suffix, &ps->admin) != 3 ||
	    (ps->blob = strdup(from)) == NULL) {
		pact_go(ps);
		return (-1);
	}
	ps->blob_len = strlen(from) + 1;
	ps->asked = ps->joined = 1;
	return (0);
}

/* kennel_app's onresume: the room hears where it is; so does its client, of the room. */
static void
pact_resume(struct kennel_socket *s, const char *data, size_t len)
{
	struct pact_socket	*ps = kennel_socket_data(s);
	const char		*topic;

	(void)data, (void)len;
	for (size_t i = 0; (topic = kennel_topic(s, i)) != NULL; i++)
		if (*topic == 'r')
			ps->relays++;
		else
			ps->subscriptions++;
	if (!ps->joined) {
		pact_join(ps);
		return;
	}
	pact_move(ps, 0);
	for (size_t i = 0; (topic = kennel_topic(s, i)) != NULL; i++)
		if (*topic == 'r')
			pact_move_step(ps, "moverelay", topic + 1, 0);
	pact_settled(ps);
	pact_keep(ps);
	pact_due_add(ps, PACT_DUE_PING);
	pact_send_config(ps);
}

/* kennel_app's thaw. */
static int
pact_thaw(struct kennel_socket *s, const char *data, size_t len, int how)
{
	struct pact_socket	*ps;
	uint64_t		 from, sum;

	if (how == KENNEL_RESUMED)
		return (pact_revive(s, data, len));
	if (len == 0 || data[len - 1] != '\0' || (ps = pact_come(s)) == NULL)
		return (-1);
	if (sscanf(data, "%16" SCNx64 " %lg %d %u %u %" SCNx64, &from,
	    &ps->suffix, &ps->admin, &ps->subscriptions, &ps->relays, &sum) !=
	    6 || (ps->blob = malloc(len)) == NULL) {
		pact_go(ps);
		return (-1);
	}
	memcpy(ps->blob, data, len);
	ps->blob_len = len;
	ps->asked = ps->joined = 1;
	pact_due_add(ps, sum == pact_config_sum(kennel_socket_replica(s)) ?
	    PACT_DUE_PING : PACT_DUE_AGAIN);
	pact_keep(ps);
	pact_move(ps, 0);
	return (0);
}

/* kennel_app's onmoved. */
static void
pact_moved(struct kennel_socket *s, int how)
{
	struct pact_socket	*ps = kennel_socket_data(s);

	if (how == KENNEL_STAYED)
		pact_move(ps, 1);
	pact_go(ps);
}

/* ---- rooms ---- */

/* kennel_app's onstart: a room. */
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

/* kennel_app's onstop. */
static void
pact_stop(struct kennel_replica *r)
{
	struct pact_room	*room = kennel_replica_data(r);

	pact_roll_clear(&room->roll);
	free(room);
	nrooms--;
}

const struct kennel_app pact_app = {
	.name = "pact",
	.message_max = 128 << 10,
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
	.moves = 1,
	.freeze = pact_freeze,
	.thaw = pact_thaw,
	.onmoved = pact_moved,
	.onresume = pact_resume,
};
