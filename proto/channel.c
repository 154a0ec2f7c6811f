/*
 * Control channels: packets of messages with descriptors, over SEQPACKET.
 *
 * A channel ends in one place, control_read_cb, when it has read to the end.  A
 * write that fails for good shuts the socket down, and so the reader comes to
 * its end too, after what was still to be read.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <event2/event.h>
#include <event2/event_struct.h>

#include "common/budget.h"
#include "common/fdpass.h"
#include "common/list.h"
#include "common/log.h"
#include "common/turn.h"
#include "proto/channel.h"
#include "proto/pack.h"

#define CONTROL_QUEUE_MAX	(64 << 20)	/* bytes */
#define CONTROL_MESSAGES_MAX	64		/* in a packet */
#define CONTROL_READS		32		/* packets in one go */
#define CONTROL_RETRY_MS	10		/* ETOOMANYREFS, ENOMEM */
#define CONTROL_HEAD		3		/* an array header of a packet */

struct control_out {			/* one queued message */
	struct list	 at;
	size_t		 len, nfds;
	size_t		 lent;		/* of fds, the first ones; others are ours */
	int		 fds[2];
	char		 data[];
};

struct control {
	int		 fd;
	char		*name;
	control_message_cb *message_cb;
	control_packet_cb *packet_cb;
	control_end_cb	*end_cb;
	void		(*sent_cb)(struct control *, void *);
	void		*arg;
	struct event	 read, write, retry;
	struct turn_work flush;
	struct list	 out;
	size_t		 out_bytes;
	size_t		 packet_max;	/* halved when the kernel wants less */
	uint64_t	 queued, sent;
	int		 blocked;	/* EV_WRITE or the timer will go on */
	const char	*broken;	/* writing ended: why */
	uint64_t	 passed_over;	/* messages of a later version */
};

static void	 control_read_cb(evutil_socket_t, short, void *);
static void	 control_write_cb(evutil_socket_t, short, void *);
static void	 control_flush_work(void *);
static const char *control_read(struct control *c);
static const char *control_packet(struct control *c, const char *data,
		    size_t len, int *fds, size_t nfds, int cut);
static int	 control_write(struct control *c);
static void	 control_break(struct control *c, const char *why);
static void	 control_out_free(struct control *c, struct control_out *o);

struct control *
control_new(struct event_base *base, int fd, const char *name,
    control_message_cb *message_cb, control_packet_cb *packet_cb,
    control_end_cb *end_cb, void *arg)
{
	struct control	*c;

	if ((c = calloc(1, sizeof(*c))) == NULL)
		return (NULL);
	if ((c->name = strdup(name)) == NULL)
		goto fail;
	c->fd = fd;
	c->message_cb = message_cb;
	c->packet_cb = packet_cb;
	c->end_cb = end_cb;
	c->arg = arg;
	c->packet_max = PACKET_MAX;
	list_init(&c->out);
	turn_work_init(&c->flush, control_flush_work, c);
	if (event_assign(&c->read, base, fd, EV_READ | EV_PERSIST,
	    control_read_cb, c) == -1 ||
	    event_assign(&c->write, base, fd, EV_WRITE, control_write_cb, c)
	    == -1 ||
	    event_assign(&c->retry, base, -1, 0, control_write_cb, c) == -1 ||
	    event_priority_set(&c->read, 0) == -1 ||
	    event_add(&c->read, NULL) == -1) {
		errno = ENOMEM;
		goto fail;
	}
	return (c);
fail:
	free(c->name);
	free(c);
	return (NULL);
}

void
control_free(struct control *c)
{
	struct list	*l, *tmp;

	if (c == NULL)
		return;
	event_del(&c->read);
	event_del(&c->write);
	event_del(&c->retry);
	turn_cancel(&c->flush);
	list_each(l, tmp, &c->out)
		control_out_free(c, list_entry(l, struct control_out, at));
	close(c->fd);
	free(c->name);
	free(c);
}

int
control_send(struct control *c, const struct ctl *m, const int *fds)
{
	static struct buf	 b;	/* kept from message to message */
	struct control_out	*o;

	buf_reset(&b);
	b.max = PACKET_MAX;
	ctl_encode(&b, m);
	if (b.failed || b.len > PACKET_MAX - CONTROL_HEAD) {
		errno = EMSGSIZE;
		return (-1);
	}
	if (c->out_bytes + b.len > CONTROL_QUEUE_MAX) {
		errno = ENOBUFS;
		return (-1);
	}
	if ((o = malloc(sizeof(*o) + b.len)) == NULL)
		return (-1);
	o->len = b.len;
	o->nfds = ctl_fds(m);
	o->lent = m->type == CTL_FERRY || m->type == CTL_LISTENING ||
	    m->type == CTL_COVER ? 0 : 1;
	for (size_t i = 0; i < o->nfds; i++)
		o->fds[i] = fds[i];
	memcpy(o->data, b.data, b.len);
	list_push(&c->out, &o->at);
	c->out_bytes += o->len;
	c->queued++;
	turn_add(&c->flush, TURN_CONTROL);
	return (0);
}

int
control_flush(struct control *c)
{
	return (control_write(c));
}

uint64_t
control_queued(const struct control *c)
{
	return (c->queued);
}

uint64_t
control_sent(const struct control *c)
{
	return (c->sent);
}

void
control_set_sent_cb(struct control *c, void (*cb)(struct control *, void *))
{
	c->sent_cb = cb;
}

int
control_fd(const struct control *c)
{
	return (c->fd);
}

/* ---- reading ---- */

static void
control_read_cb(evutil_socket_t fd, short what, void *arg)
{
	struct control	*c = arg;
	const char	*why;

	(void)fd, (void)what;
	if ((why = control_read(c)) == NULL)
		return;
	event_del(&c->read);
	c->end_cb(c, c->broken != NULL ? c->broken : why, c->arg);
}

/* Hand out what the socket has: NULL, or why the channel is over. */
static const char *
control_read(struct control *c)
{
	static char	 data[PACKET_MAX];
	const char	*why;
	int		 fds[FDPASS_MAX], cut;
	size_t		 nfds;
	ssize_t		 n;

	budget_begin();
	for (int i = 0; i < CONTROL_READS; i++) {
		n = fdpass_recv(c->fd, fds, &nfds, data, sizeof(data), &cut);
		if (n == 0)
			return ("the other side closed the channel");
		if (n > 0) {
			why = control_packet(c, data, (size_t)n, fds, nfds,
			    cut);
			for (size_t j = 0; j < nfds; j++)
				if (fds[j] != -1)
					close(fds[j]);
			if (why != NULL)
				return (why);
			if (budget_over())
				return (NULL);	/* it is read again */
		} else if (errno == EAGAIN || errno == EWOULDBLOCK)
			return (NULL);
		else if (errno == EMSGSIZE)
			return ("a packet was larger than allowed");
		else if (errno != ECONNRESET && errno != EINTR)
			return (strerror(errno));
	}
	return (NULL);
}

/* A message was of a type that only a later version has: said once a channel. */
static void
control_passed_over(struct control *c)
{
	if (c->passed_over++ == 0)
		log_info("control peer=%s sends messages of a later version, which"
		    " are passed over", c->name);
}

/*
 * All messages are decoded before the first is handed out, for a callback may
 * use pack_open itself.  They borrow from data only.
 */
static const char *
control_packet(struct control *c, const char *data, size_t len, int *fds,
    size_t nfds, int cut)
{
	static struct ctl	 messages[CONTROL_MESSAGES_MAX];
	struct pack_in		 in;
	const char		*why;
	size_t			 i, n, want, known = 0, used = 0;

	if (pack_open(&in, data, len) == -1) {
		why = "a packet could not be read";
		goto bad;
	}
	if ((n = pack_in_left(&in)) > nitems(messages)) {
		why = "a packet had too many messages";
		goto bad;
	}
	for (i = 0; i < n; i++) {
		switch (ctl_decode(&messages[known], &in)) {
		case -1:
			why = "a message could not be read";
			goto bad;
		case 0:
			used += ctl_fds(&messages[known++]);
			break;
		default:
			control_passed_over(c);
		}
	}
	n = known;
	if (!cut && used != nfds) {
		why = "a packet had not the descriptors it names";
		goto bad;
	}
	for (i = 0; i < n; i++) {
		turn_progress();
		want = cut ? 0 : ctl_fds(&messages[i]);
		if (c->message_cb(c, &messages[i], fds, want,
		    cut && ctl_fds(&messages[i]) > 0, c->arg) == -1) {
			why = "a message was refused";
			goto bad;
		}
		fds += want;
	}
	if (c->packet_cb != NULL)
		c->packet_cb(c, c->arg);
	return (NULL);
bad:
	log_warn("control peer=%s error=\"%s\"", c->name, why);
	return (why);
}

/* ---- writing ---- */

static void
control_flush_work(void *arg)
{
	control_write(arg);
}

/* The kernel takes again, or enough time has passed. */
static void
control_write_cb(evutil_socket_t fd, short what, void *arg)
{
	struct control	*c = arg;
	uint64_t	 sent = c->sent;

	(void)fd, (void)what;
	c->blocked = 0;
	control_write(c);
	if (c->sent != sent && c->sent_cb != NULL)
		c->sent_cb(c, c->arg);
}

/* How many of the queue make the next packet, and their descriptors. */
static size_t
control_batch(struct control *c, int *fds, size_t *nfds)
{
	struct control_out	*o;
	struct list		*l;
	size_t			 n = 0, bytes = CONTROL_HEAD, capsules = 0;

	*nfds = 0;
	for (l = c->out.next; l != &c->out && n < CONTROL_MESSAGES_MAX;
	    l = l->next) {
		o = list_entry(l, struct control_out, at);
		if (n > 0 && (o->len > c->packet_max - bytes ||
		    (o->nfds > 0 && capsules == CAPSULES_MAX) ||
		    o->nfds > FDPASS_MAX - *nfds))
			break;
		for (size_t i = 0; i < o->nfds; i++)
			fds[(*nfds)++] = o->fds[i];
		capsules += o->nfds > 0;
		bytes += o->len;
		n++;
		if (bytes >= c->packet_max)
			break;
	}
	return (n);
}

/* 0 when the queue is empty, or -1 with errno. */
static int
control_write(struct control *c)
{
	static struct buf	 b;	/* kept from packet to packet */
	struct list		*l;
	struct control_out	*o;
	const struct timeval	 retry = { 0, CONTROL_RETRY_MS * 1000 };
	int			 fds[FDPASS_MAX], save;
	size_t			 n, nfds;

	while (!list_empty(&c->out)) {
		if (c->broken != NULL) {
			errno = EPIPE;
			return (-1);
		}
		if (c->blocked) {
			errno = EAGAIN;
			return (-1);
		}
		n = control_batch(c, fds, &nfds);
		buf_reset(&b);
		pack_array(&b, n);
		l = c->out.next;
		for (size_t i = 0; i < n; i++, l = l->next) {
			o = list_entry(l, struct control_out, at);
			buf_add(&b, o->data, o->len);
		}
		if (b.failed)
			errno = ENOMEM;
		else if (fdpass_send(c->fd, fds, nfds, b.data, b.len) == 0) {
			for (; n > 0; n--)
				control_out_free(c, list_entry(c->out.next,
				    struct control_out, at));
			continue;
		}
		switch (save = errno) {
		case EINTR:
			continue;
		case EMSGSIZE:		/* a small send buffer */
			if (n > 1) {
				c->packet_max = b.len / 2;
				continue;
			}
			control_break(c,
			    "a message is larger than the send buffer");
			break;
		case EAGAIN:
			c->blocked = 1;
			event_add(&c->write, NULL);
			break;
		case ENOMEM:
		case ENOBUFS:
			save = EAGAIN;
			/* FALLTHROUGH */
		case ETOOMANYREFS:	/* until the receiver takes some */
			c->blocked = 1;
			event_add(&c->retry, &retry);
			break;
		default:
			control_break(c, strerror(save));
			break;
		}
		errno = save;
		return (-1);
	}
	return (0);
}

/* Nothing more is written; what can be read still is, and then is the end. */
static void
control_break(struct control *c, const char *why)
{
	c->broken = why;
	shutdown(c->fd, SHUT_RDWR);
}

/* Sent or dropped: a memfd was only for this. */
static void
control_out_free(struct control *c, struct control_out *o)
{
	list_remove(&o->at);
	c->out_bytes -= o->len;
	c->sent++;
	for (size_t i = o->lent; i < o->nfds; i++)
		close(o->fds[i]);
	free(o);
}
