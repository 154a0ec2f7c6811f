/*
 * Links to other hosts, as connections.  One that was dialled hears a seed, proves
 * itself and says its host's name, hears the peer's name, and the link's id.
 */
#include <stdlib.h>

#include <openssl/crypto.h>

#include "common/clock.h"
#include "common/config.h"
#include "common/log.h"
#include "common/secret.h"
#include "proto/proof.h"
#include "shardd/events/discovery.h"
#include "shardd/events/inside.h"
#include "shardd/events/parcel.h"
#include "shardd/events/uplink.h"
#include "shardd/events/sockets.h"

#define LINK_CODE	1012		/* of kennel_close(): come again */
#define LINK_SEED_MAX	256		/* bytes of a seed that is answered */
#define LINK_STUCK_MS	10000		/* default: over its mark, and nothing is read */
#define LINK_BEAT_MS	10000		/* default: we say that we are there so often */
#define LINK_BEATS	3		/* that is missed so often: nobody is there */
#define LINK_LATE_MS	2000		/* our own looks are that late: we have slept */
#define LINK_PATIENCE	3		/* times that: nothing is acknowledged */

enum { LINK_SEED, LINK_NAME, LINK_ID, LINK_UP };

struct uplink *
uplink_find(const struct events_server *v, uint64_t number)
{
	struct list	*e;

	for (e = v->links.next; e != &v->links; e = e->next)
		if (list_entry(e, struct uplink, at)->number == number)
			return (list_entry(e, struct uplink, at));
	return (NULL);
}

int
uplink_is_up(const struct uplink *l)
{
	return (l->stage == LINK_UP);
}

/* One of s, at its beginning.  NULL without memory. */
static struct uplink *
uplink_new(struct events_socket *s)
{
	struct uplink	*l;

	if ((l = calloc(1, sizeof(*l))) == NULL)
		return (NULL);
	l->socket = s;
	l->cost = 1;
	l->number = bytes_random64();
	list_push(&s->server->links, &l->at);
	s->link = l;
	return (l);
}

/* Forget l, which nobody has heard of any more. */
static void
uplink_free(struct uplink *l)
{
	list_remove(&l->at);
	l->socket->link = NULL;
	free(l->peer);
	free(l->id);
	free(l);
}

/* Say a string, with our host in the cells.  0 or -1. */
static int
uplink_say(struct events_socket *s, enum fasttcp_type type, struct slice data)
{
	const struct fasttcp_frame	 f = { .type = type,
					    .data_type = FASTTCP_STRING,
					    .policy = 1,
					    .id = socket_next_id(s),
					    .cells = s->server->host,
					    .data = data };

	return (sockets_send(s, &f));
}

/* What an option says, in ms; without it that many. */
static unsigned
uplink_ms(const char *key, const char *value, unsigned ms)
{
	const char	*why;

	if (value != NULL && config_duration(value, 1000, 3600000, &ms, &why) ==
	    -1)
		log_warn("events %s=%s %s", key, value, why);
	return (ms);
}

/* How long a peer over its mark may read nothing. */
static unsigned
uplink_stuck_ms(void)
{
	return (uplink_ms("app.uplink_stuck",
	    kennel_option("app.uplink_stuck"), LINK_STUCK_MS));
}

/* l is there. */
static void
uplink_up(struct uplink *l)
{
	l->stage = LINK_UP;
	(void)kennel_socket_patience(l->socket->socket,
	    LINK_PATIENCE * uplink_stuck_ms());
	log_info("events link=%s peer=%s cost=%g up", l->id, l->peer, l->cost);
	l->socket->server->uplink_ops->up(l->socket->server, l);
}

int
uplink_accept(struct events_socket *s, struct slice peer, struct slice host,
    const char **why)
{
	struct uplink	*l;

	*why = "an uplink, and there is no app.host in [worker]";
	if (host.len == 0)
		return (-1);
	*why = "an uplink of a bad host name";
	if (!discovery_host_ok(peer))
		return (-1);
	*why = "an uplink of a host with our own name";
	if (slice_eq(peer, host))
		return (-1);
	*why = "an uplink, and there is no memory";
	if ((l = uplink_new(s)) == NULL)
		return (-1);
	if ((l->peer = slice_dup(peer)) == NULL ||
	    (l->id = slice_dup(socket_id(s))) == NULL ||
	    uplink_say(s, FASTTCP_UPLINK, host) == -1 ||
	    uplink_say(s, FASTTCP_REGISTER, socket_id(s)) == -1) {
		uplink_free(l);
		return (-1);
	}
	uplink_up(l);
	return (0);
}

int
uplink_dialled(struct events_socket *s, const struct uplink_way *way)
{
	struct uplink	*l;

	if ((l = uplink_new(s)) == NULL)
		return (-1);
	l->way = way;
	l->cost = way->cost;
	return (0);
}

/* ---- what a peer says to whom has dialled it ---- */

/* A seed: prove that we know the key, and say who we are. */
static int
uplink_seed(struct uplink *l, const struct fasttcp_frame *f, const char **why)
{
	char	 proof[PROOF_LEN + 1], *key;
	int	 r;

	*why = "no seed";
	if (f->type != FASTTCP_AUTH_SEED || f->data.len > LINK_SEED_MAX)
		return (-1);
	if ((key = secret_read(l->way->psk_file, why)) == NULL)
		return (-1);
	r = proof_make(proof, slice_str(key), f->data);
	OPENSSL_cleanse(key, strlen(key));
	free(key);
	*why = "not sent";
	if (r == -1 || uplink_say(l->socket, FASTTCP_AUTH_HMAC,
	    slice_of(proof, PROOF_LEN)) == -1 || uplink_say(l->socket,
	    FASTTCP_UPLINK, l->socket->server->host) == -1)
		return (-1);
	l->stage = LINK_NAME;
	return (0);
}

/* Its name. */
static int
uplink_name(struct uplink *l, const struct fasttcp_frame *f, const char **why)
{
	*why = "no host name";
	if (f->type != FASTTCP_UPLINK || !discovery_host_ok(f->data))
		return (-1);
	*why = "our own host name: it is of our cluster, or has the same name";
	if (slice_eq(f->data, l->socket->server->host))
		return (-1);
	*why = "no memory";
	if ((l->peer = slice_dup(f->data)) == NULL)
		return (-1);
	l->stage = LINK_ID;
	return (0);
}

/* The link's id. */
static int
uplink_id(struct uplink *l, const struct fasttcp_frame *f, const char **why)
{
	*why = "no id";
	if (f->type != FASTTCP_REGISTER || f->data.len == 0 ||
	    f->data.len > LINK_MAX || memchr(f->data.data, '\0',
	    f->data.len) != NULL || (l->id = slice_dup(f->data)) == NULL)
		return (-1);
	uplink_up(l);
	return (0);
}

/* l's peer says f: 0, or -1 with *why. */
static int
uplink_frame(struct uplink *l, const struct fasttcp_frame *f, const char **why)
{
	static int (*const steps[])(struct uplink *, const struct fasttcp_frame *,
	    const char **) = { uplink_seed, uplink_name, uplink_id };

	if (l->stage < LINK_UP)
		return (f->data_type != FASTTCP_STRING ? (*why =
		    "no string", -1) : steps[l->stage](l, f, why));
	if (f->type != FASTTCP_PARCEL || f->cells.len > 0)
		l->socket->server->uplink_ops->says(l->socket->server, l, f);
	return (0);
}

ssize_t
uplink_input(struct events_socket *s, const char *data, size_t len)
{
	struct fasttcp_frame	 f;
	enum fasttcp_verdict	 v;
	const char		*why;
	size_t			 used;

	if (s->server == NULL)
		return ((ssize_t)len);	/* it is closing */
	s->link->heard = clock_ms();
	v = fasttcp_next(&s->in, slice_of(data, len), &used, &f, &why);
	if (v == FASTTCP_BAD || (v == FASTTCP_GOT &&
	    uplink_frame(s->link, &f, &why) == -1)) {
		log_info("events uplink=%s peer=%s closed: it has said %s",
		    s->link->way == NULL ? "" : s->link->way->name,
		    kennel_socket_peer(s->socket), why);
		return (-1);
	}
	return ((ssize_t)used);
}

/* ---- ends ---- */

void
uplink_gone(struct events_socket *s, const char *why)
{
	struct uplink		*l = s->link;
	const struct uplink_way	*way = l->way;
	int			 was = l->stage == LINK_UP;

	if (was) {
		log_info("events link=%s peer=%s down: %s", l->id, l->peer, why);
		s->server->uplink_ops->down(s->server, l);
	} else
		log_info("events uplink=%s ended before it was a link: the other "
		    "side has another key, or refuses our host name",
		    way == NULL ? "" : way->name);
	uplink_free(l);
	if (way != NULL)
		way->ended(way->arg);
}

void
uplink_send(struct uplink *l, const char *frame, size_t len)
{
	if (l->stage == LINK_UP && kennel_send(l->socket->socket, frame, len,
	    KENNEL_BINARY) == 0)
		l->socket->queued += len;
}

void
uplink_hold(struct uplink *l, int on)
{
	if (l->held == on)
		return;
	l->held = on != 0;
	sockets_hold(l->socket, on);
}

void
uplink_high(struct uplink *l, int high)
{
	struct events_server	*v = l->socket->server;

	l->socket->high = high != 0;
	if (l->stage == LINK_UP)
		v->uplink_ops->pressed(v, l, high);
}

void
uplink_kennel(struct uplink *l)
{
	if (l->kennel)
		return;
	l->kennel = 1;
	l->heard = clock_ms();
	l->said = 0;
}

/* Say that we are there. */
static void
uplink_beat(struct uplink *l)
{
	const struct parcel	 p = { .kind = PARCEL_BEAT,
				    .origin = l->socket->server->host };
	struct fasttcp_frame	 f = { .type = FASTTCP_PARCEL, .policy = 1,
				    .data_type = FASTTCP_BINARY,
				    .id = socket_next_id(l->socket) };
	struct buf		 b = { 0 };

	parcel_write(&b, &p);
	f.data = slice_of(b.data, b.len);
	if (!b.failed)
		(void)sockets_send(l->socket, &f);
	buf_clear(&b);
}

/* Say so if it is time; and is the peer there?  ms: how often. */
static void
uplink_look_beat(struct uplink *l, uint64_t now, unsigned ms)
{
	if (l->held)
		l->heard = now;		/* nobody has listened */
	if (now - l->said >= ms) {
		l->said = now;
		if (kennel_socket_queued(l->socket->socket) == 0)
			uplink_beat(l);
	}
	if (now - l->heard < (uint64_t)LINK_BEATS * ms)
		return;
	log_info("events link=%s closed: its peer has said nothing for %u ms",
	    l->id, LINK_BEATS * ms);
	l->heard = now;
	kennel_close(l->socket->socket, 1008, "silent");
}

/* Has l's peer, for which much waits, read nothing for long? */
static void
uplink_look_stuck(struct events_socket *s, uint64_t now)
{
	unsigned	 ms = uplink_stuck_ms();

	if (!s->high)
		sockets_reads(s, now);
	else if (sockets_stuck(s, now) >= ms) {
		log_info("events link=%s closed: its peer has read nothing for "
		    "%u ms", s->link->id, ms);
		s->since = now;
		kennel_close(s->socket, 1008, "stuck");
	}
}

void
uplink_look(struct events_server *v, uint64_t now)
{
	const unsigned	 ms = uplink_ms("app.uplink_beat",
			    kennel_option("app.uplink_beat"), LINK_BEAT_MS);
	const uint64_t	 late = now - v->looked;
	struct list	*e, *tmp;
	struct uplink	*l;

	list_each(e, tmp, &v->links) {
		l = list_entry(e, struct uplink, at);
		if (late >= LINK_LATE_MS)
			l->heard = now;		/* there may be much to read yet */
		if (l->kennel)
			uplink_look_beat(l, now, ms);
		uplink_look_stuck(l->socket, now);
	}
	v->looked = now;
}

void
uplink_close_all(struct events_server *v, const char *why, int stop)
{
	struct list		*e, *tmp;
	struct events_socket	*s;
	const struct uplink_way	*way;

	list_each(e, tmp, &v->links) {
		s = list_entry(e, struct uplink, at)->socket;
		kennel_close(s->socket, LINK_CODE, why);
		if (!stop)
			continue;
		way = list_entry(e, struct uplink, at)->way;
		uplink_free(list_entry(e, struct uplink, at));
		s->server = NULL;
		if (way != NULL)
			way->ended(way->arg);
	}
}
