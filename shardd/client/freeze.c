/* A connection is packed for a journey, and unpacked. */
#include <errno.h>
#include <unistd.h>

#include "common/line.h"
#include "shardd/client/conn.h"
#include "shardd/client/freeze.h"
#include "shardd/client/payload.h"
#include "shardd/client/policy.h"
#include "shardd/client/stream.h"
#include "shardd/client/tcp.h"
#include "shardd/client/who.h"
#include "shardd/client/ws.h"

/* ---- packing ---- */

const char *
freeze_hinders(const struct conn *c, int *never)
{
	*never = c->protocol == NULL || c->protocol->freeze == NULL;
	if (*never)
		return ("what it speaks cannot move");
	if (c->state != CONN_OPEN)
		return ("it is not open");
	if (c->flags & (CONN_F_DOOMED | CONN_F_GONE | CONN_F_AWAITED))
		return ("it ends");
	if (c->verbs != NULL || (c->flags & CONN_F_JOINING) ||
	    (c->pauses & PAUSE_HELD))
		return ("it waits for an answer");
	if (c->pauses & PAUSE_APP)
		return ("its application has paused it");
	if ((c->flags & (CONN_F_DIRTY | CONN_F_LATE | CONN_F_RESUME)) ||
	    (c->turns & (CONN_T_QUEUED | CONN_T_TELL)))
		return ("it has a turn to come");
	if (c->turns & CONN_T_PART)
		return ("it is amid a message");
	return (NULL);
}

int
freeze_pack(struct conn *c, struct frozen *f)
{
	struct capsule	*cap = &f->cap;

	if (!outbox_empty(&c->out) && conn_write(c) == -1) {
		conn_doom(c, CLOSE_RESET);
		errno = EPIPE;
		return (-1);
	}
	buf_reset(&f->state);
	buf_reset(&f->early);
	buf_reset(&f->owed);
	*cap = (struct capsule){ .id = c->id, .flags = c->told,
	    .deflate = c->deflate, .hops = c->hops + 1u,
	    .strikes = c->strikes, .pings = c->pings, .since = c->since, .last = c->last };
	cap->protocol = (enum capsule_protocol)c->protocol->capsule;
	cap->bits = (c->flags & CONN_F_ENDED ? CAPSULE_B_ENDED : 0) |
	    (c->turns & CONN_T_HIGH ? CAPSULE_B_HIGH : 0);
	who_pack(c, cap);
	meter_pack(c->meter, cap);
	if (c->protocol->freeze(c, &f->state, &f->early) == -1 ||
	    outbox_copy(&c->out, &f->owed) == -1)
		return (-1);
	cap->state = slice_of(f->state.data, f->state.len);
	cap->early = slice_of(f->early.data, f->early.len);
	cap->owed = slice_of(f->owed.data, f->owed.len);
	if (c->turns & CONN_T_CROWD) {
		line_leave(&c->clients->crowd, c);
		c->turns &= (uint8_t)~CONN_T_CROWD;
	}
	conn_set_state(c, CONN_MOVING);
	conn_half(c, COVER_B_GOING, 1);
	conn_arm(c);
	return (0);
}

void
freeze_undo(struct conn *c)
{
	enum close_why	 why = c->why;

	conn_set_state(c, CONN_OPEN);
	conn_half(c, COVER_B_GOING, 0);
	c->pauses &= (uint8_t)~PAUSE_SAID;
	if (why != CLOSE_NONE) {	/* meanwhile */
		c->why = CLOSE_NONE;
		conn_doom(c, why);
		return;
	}
	conn_resume(c, PAUSE_MOVE);
	if ((c->flags & CONN_F_DIRTY) == 0)
		conn_flush(c);
}

void
freeze_leave(struct conn *c)
{
	if (c->proto != NULL)
		c->protocol->clear(c);
	close(c->fd);			/* it is somebody else's: no shutdown */
	c->fd = -1;
	c->flags |= CONN_F_GONE;
	conn_uncover(c);
	outbox_clear(&c->out);
}

/* ---- unpacking ---- */

/* What each protocol makes of its state, by what the record says. */
static const struct {
	int	(*thaw)(struct conn *c, struct slice state, struct slice early);
} thaws[] = {
	[CAPSULE_WS] = { ws_thaw },
	[CAPSULE_RAW] = { tcp_thaw },
	[CAPSULE_STREAM] = { stream_thaw },
};

/* What it is owed stands first. */
static int
freeze_owe(struct conn *c, struct slice owed)
{
	struct payload	*p;
	int		 rv;

	if (owed.len == 0)
		return (0);
	if ((p = payload_raw(owed)) == NULL)
		return (-1);
	conn_half(c, COVER_B_OUT, 1);		/* perhaps amid a message */
	rv = outbox_add(&c->out, p);
	payload_unref(p);
	return (rv);
}

struct conn *
freeze_unpack(struct clients *all, const struct capsule *cap,
    struct meter *meter, size_t message_max, int fd)
{
	struct conn	*c;

	if ((size_t)cap->protocol >= nitems(thaws) ||
	    thaws[cap->protocol].thaw == NULL) {
		errno = EPROTONOSUPPORT;
		return (NULL);
	}
	if ((c = conn_new(all, cap, meter, fd)) == NULL)
		return (NULL);
	c->deflate = (uint8_t)cap->deflate;
	c->hops = (uint8_t)(cap->hops > UINT8_MAX ? UINT8_MAX : cap->hops);
	if (cap->protocol == CAPSULE_RAW)
		c->flags |= CONN_F_RAW;
	if (cap->bits & CAPSULE_B_ENDED)
		c->flags |= CONN_F_ENDED;
	if (cap->bits & CAPSULE_B_HIGH)
		c->turns |= CONN_T_HIGH;
	c->strikes = (uint8_t)cap->strikes;
	c->pings = (uint8_t)cap->pings;
	c->since = cap->since;
	c->last = cap->last;
	c->message_max = message_max > UINT32_MAX ? UINT32_MAX :
	    (uint32_t)message_max;
	if (meter_unpack(&c->meter, cap) == 0 &&
	    freeze_owe(c, cap->owed) == 0 &&
	    thaws[cap->protocol].thaw(c, cap->state, cap->early) == 0)
		return (c);
	conn_discard(c);
	return (NULL);
}

void
freeze_begin(struct conn *c)
{
	uint32_t	 since = c->since;

	c->flags |= CONN_F_BEGUN;
	conn_set_state(c, CONN_OPEN);
	c->since = since;
	/* What it has kept, and what it is owed. */
	c->pauses |= PAUSE_MOVE;
	conn_resume(c, PAUSE_MOVE);
}
