/*
 * Before a client is registered:
 *
 *	ASKING		dialect 2: the seed is sent, the proof is to come
 *	PROVEN		dialect 2: it is right, and DOWNLINK is to come
 *	LISTENING	either: a client of dialect 1 may have said something already
 *	GUESSING	either: the seed is sent, for nothing has come; only dialect 2 answers
 */
#include <stdlib.h>

#include <openssl/crypto.h>

#include "common/log.h"
#include "common/secret.h"
#include "proto/proof.h"
#include "shardd/events/frames.h"
#include "shardd/events/handshake.h"
#include "shardd/events/inside.h"
#include "shardd/events/sockets.h"

#define HANDSHAKE_FRAME_MAX	4096	/* bytes of a frame until it is over */
#define HANDSHAKE_GUESS_MS	500	/* silence after the seed is dialect 1 */
#define VERSION_AT		4	/* the byte that says the dialect */

enum stage { ASKING, PROVEN, LISTENING, GUESSING };

struct handshake {
	enum stage	 stage;
	size_t		 frame_max;	/* when it is over */
	char		 seed[PROOF_SEED + 1];
	struct kennel_timer *timer;
	handshake_done_cb *done;
	handshake_link_cb *link;
};

static void	 handshake_timer_cb(void *arg);

/* ---- steps ---- */

/* Wait so long for what comes next.  0, or -1 without memory. */
static int
handshake_wait(struct events_socket *s, unsigned ms)
{
	struct handshake	*h = s->handshake;

	kennel_timer_free(h->timer);
	h->timer = kennel_timer_new(ms, 0, handshake_timer_cb, s);
	return (h->timer == NULL ? -1 : 0);
}

/* s is registered, in this dialect.  0, or -1. */
static int
handshake_over(struct events_socket *s, const struct fasttcp_dialect *d)
{
	handshake_done_cb	*done = s->handshake->done;

	s->in.dialect = d;
	s->in.max = s->handshake->frame_max;
	handshake_end(s);
	return (done(s));
}

/* Send the seed, whose answer is of dialect 2.  0, or -1. */
static int
handshake_ask(struct events_socket *s, enum stage stage)
{
	struct handshake	*h = s->handshake;
	const struct fasttcp_frame f = { .type = FASTTCP_AUTH_SEED,
				    .data_type = FASTTCP_STRING,
				    .id = ID_REGISTER,
				    .data = slice_of(h->seed, PROOF_SEED) };

	h->stage = stage;
	s->in.dialect = fasttcp_d2;
	if (proof_seed(h->seed) == -1)
		return (-1);
	return (sockets_send(s, &f));
}

/* Time is over for what s was to do. */
static void
handshake_timer_cb(void *arg)
{
	struct events_socket	*s = arg;
	struct handshake	*h = s->handshake;
	int			 r;

	switch (h->stage) {
	case LISTENING:
		if ((r = handshake_ask(s, GUESSING)) == 0)
			r = handshake_wait(s, HANDSHAKE_GUESS_MS);
		break;
	case GUESSING:
		r = handshake_over(s, fasttcp_d1);
		break;
	default:
		log_info("events peer=%s closed: not authenticated in time",
		    kennel_socket_peer(s->socket));
		r = -1;
		break;
	}
	if (r == -1)
		kennel_close(s->socket, 1008, "handshake");
}

int
handshake_begin(struct events_socket *s, handshake_done_cb *done,
    handshake_link_cb *link)
{
	struct handshake	*h;
	int			 r;

	if (!s->psk_optional &&
	    kennel_socket_setting(s->socket, "psk_file") == NULL) {
		log_warn("events app=%s: clients of dialect 2 are not served: the "
		    "listener has no psk_file, nor app.psk_optional = yes",
		    s->server->events->name);
		return (-1);
	}
	if ((h = calloc(1, sizeof(*h))) == NULL)
		return (-1);
	h->done = done;
	h->link = link;
	h->frame_max = s->in.max;
	s->in.max = HANDSHAKE_FRAME_MAX;
	s->handshake = h;
	if (s->speaks == SPEAKS_EITHER) {
		h->stage = LISTENING;
		s->in.dialect = fasttcp_d1;
		r = handshake_wait(s, s->silence_ms);
	} else if ((r = handshake_ask(s, ASKING)) == 0)
		r = handshake_wait(s, s->handshake_ms);
	if (r == -1)
		handshake_end(s);
	return (r);
}

void
handshake_end(struct events_socket *s)
{
	struct handshake	*h = s->handshake;

	kennel_timer_free(h->timer);
	OPENSSL_cleanse(h->seed, sizeof(h->seed));
	free(h);
	s->handshake = NULL;
}

/* ---- frames ---- */

/* Is it the proof for s's seed?  The key is read anew each time: a new one holds at
 * once, and none is kept. */
static int
handshake_proof_right(struct events_socket *s, struct slice proof)
{
	const struct handshake	*h = s->handshake;
	const char		*why = "not said by the listener";
	const char		*path = kennel_socket_setting(s->socket,
				    "psk_file");
	char			*key = NULL;
	int			 right;

	if (path == NULL && s->psk_optional)
		return (1);
	if (path == NULL || (key = secret_read(path, &why)) == NULL) {
		log_warn("events app=%s: psk_file %s: %s, nobody can be "
		    "authenticated", s->server->events->name,
		    path == NULL ? "" : path, why);
		return (0);
	}
	right = proof_right(proof, slice_str(key),
	    slice_of(h->seed, PROOF_SEED));
	OPENSSL_cleanse(key, strlen(key));
	free(key);
	return (right);
}

/* s says that it is a host: 0, or -1 with *why. */
static int
handshake_link(struct events_socket *s, const struct fasttcp_frame *f,
    const char **why)
{
	handshake_link_cb	*link = s->handshake->link;

	*why = "a host name that is no string";
	if (f->data_type != FASTTCP_STRING)
		return (-1);
	s->in.max = s->handshake->frame_max;
	handshake_end(s);
	return (link(s, f->data, why));
}

/* s says f, of dialect 2: 0, or -1 with *why. */
static int
handshake_frame(struct events_socket *s, const struct fasttcp_frame *f,
    const char **why)
{
	struct handshake	*h = s->handshake;

	if (h->stage == PROVEN) {
		*why = "neither a client nor a host";
		return (f->type == FASTTCP_UPLINK ?
		    handshake_link(s, f, why) : f->type != FASTTCP_DOWNLINK ?
		    -1 : handshake_over(s, fasttcp_d2));
	}
	*why = "no proof";
	if (f->type != FASTTCP_AUTH_HMAC || f->data_type != FASTTCP_STRING)
		return (-1);
	*why = "a wrong proof";
	if (!handshake_proof_right(s, f->data))
		return (-1);
	if (h->stage == GUESSING && handshake_wait(s, s->handshake_ms) == -1)
		return (-1);
	h->stage = PROVEN;
	return (0);
}

/* Is it a frame of dialect 1, 0 or 1, or too little to say, -1? */
static int
handshake_is_d1(const struct handshake *h, const char *data, size_t len)
{
	if (h->stage == LISTENING)
		return (1);		/* dialect 2 waits for the seed */
	if (h->stage != GUESSING)
		return (0);
	return (len <= VERSION_AT ? -1 :
	    (uint8_t)data[VERSION_AT] == fasttcp_version(fasttcp_d1));
}

ssize_t
handshake_input(struct events_socket *s, const char *data, size_t len)
{
	struct fasttcp_frame	 f;
	enum fasttcp_verdict	 v;
	const char		*why;
	size_t			 used;
	int			 d1 = handshake_is_d1(s->handshake, data, len);

	if (d1 == -1)			/* somebody who speaks is asked nothing */
		return (handshake_wait(s, s->handshake_ms) == -1 ? -1 : 0);
	if (d1 == 1)
		return (handshake_over(s, fasttcp_d1) == -1 ? -1 :
		    frames_input(s, data, len));
	v = fasttcp_next(&s->in, slice_of(data, len), &used, &f, &why);
	if (v == FASTTCP_MORE)
		return ((ssize_t)used);
	if (v == FASTTCP_BAD || handshake_frame(s, &f, &why) == -1) {
		log_info("events peer=%s closed amid its handshake: %s",
		    kennel_socket_peer(s->socket), why);
		return (-1);
	}
	return ((ssize_t)used);
}
