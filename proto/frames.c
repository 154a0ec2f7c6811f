/*
 * Links: frames of 4 bytes big-endian length and that many bytes, over a
 * stream.  What a turn queued is one run of bytes and one send().
 *
 * Like a control channel it ends in one place, frames_read_cb: a write that
 * fails shuts the socket down and leaves the rest to the reader.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <event2/event.h>
#include <event2/event_struct.h>

#include "common/budget.h"
#include "common/log.h"
#include "common/turn.h"
#include "proto/channel.h"
#include "proto/limits.h"

#define FRAMES_HEAD	4
#define FRAMES_READ	(64 << 10)	/* bytes in one recv() */
#define FRAMES_READS	8		/* of them in one go */
#define FRAMES_KEEP	(64 << 10)	/* bytes of an empty buffer not freed */

struct frames {
	int		 fd;
	char		*name;
	frames_message_cb *message_cb;
	frames_end_cb	*end_cb;
	frames_drained_cb *drained_cb;
	void		*arg;
	struct event	 read, write;
	struct turn_work flush;
	struct turn_work more;		/* go on with kept */
	struct buf	 in;		/* a frame of which a part is here */
	struct buf	 kept;		/* read, not handed out: another turn's */
	struct buf	 out;
	size_t		 out_at;	/* bytes of out that the kernel has */
	size_t		 mark;
	int		 over;		/* passed the mark */
	int		 blocked;	/* EV_WRITE is armed */
	const char	*broken;	/* writing ended: why */
};

static void	 frames_read_cb(evutil_socket_t, short, void *);
static void	 frames_write_cb(evutil_socket_t, short, void *);
static void	 frames_flush_work(void *);
static void	 frames_more_work(void *);
static void	 frames_end(struct frames *f, const char *why);
static const char *frames_read(struct frames *f);
static const char *frames_feed(struct frames *f, const char *p, size_t n);
static int	 frames_write(struct frames *f);
static void	 frames_drained(struct frames *f);
static void	 frames_reset(struct buf *b);

struct frames *
frames_new(struct event_base *base, int fd, const char *name,
    frames_message_cb *message_cb, frames_end_cb *end_cb,
    frames_drained_cb *drained_cb, size_t mark, void *arg)
{
	struct frames	*f;

	if ((f = calloc(1, sizeof(*f))) == NULL)
		return (NULL);
	if ((f->name = strdup(name)) == NULL)
		goto fail;
	f->fd = fd;
	f->message_cb = message_cb;
	f->end_cb = end_cb;
	f->drained_cb = drained_cb;
	f->mark = mark;
	f->arg = arg;
	turn_work_init(&f->flush, frames_flush_work, f);
	turn_work_init(&f->more, frames_more_work, f);
	if (event_assign(&f->read, base, fd, EV_READ | EV_PERSIST,
	    frames_read_cb, f) == -1 ||
	    event_assign(&f->write, base, fd, EV_WRITE, frames_write_cb, f)
	    == -1 ||
	    event_add(&f->read, NULL) == -1) {
		errno = ENOMEM;
		goto fail;
	}
	return (f);
fail:
	free(f->name);
	free(f);
	return (NULL);
}

void
frames_free(struct frames *f)
{
	if (f == NULL)
		return;
	event_del(&f->read);
	event_del(&f->write);
	turn_cancel(&f->flush);
	turn_cancel(&f->more);
	buf_clear(&f->kept);
	buf_clear(&f->in);
	buf_clear(&f->out);
	close(f->fd);
	free(f->name);
	free(f);
}

int
frames_send(struct frames *f, struct slice head, struct slice body)
{
	char	*p;
	size_t	 len;

	if (head.len > LINK_FRAME_MAX ||
	    body.len > LINK_FRAME_MAX - head.len) {
		errno = EMSGSIZE;
		return (-1);
	}
	if (f->broken != NULL)		/* the end is on its way */
		return (0);
	len = head.len + body.len;
	/* What the kernel has makes room, when it is most of the buffer. */
	if (f->out_at > f->out.len / 2 &&
	    f->out.cap - f->out.len < FRAMES_HEAD + len) {
		buf_drain(&f->out, f->out_at);
		f->out_at = 0;
	}
	if ((p = buf_reserve(&f->out, FRAMES_HEAD + len)) == NULL) {
		f->out.failed = 0;	/* this frame is lost, not the link */
		errno = ENOMEM;
		return (-1);
	}
	bytes_put_be32(p, (uint32_t)len);
	if (head.len != 0)
		memcpy(p + FRAMES_HEAD, head.data, head.len);
	if (body.len != 0)
		memcpy(p + FRAMES_HEAD + head.len, body.data, body.len);
	f->out.len += FRAMES_HEAD + len;
	if (frames_queued(f) > f->mark)
		f->over = 1;
	turn_add(&f->flush, TURN_LINKS);
	return (0);
}

int
frames_flush(struct frames *f)
{
	int	rv = frames_write(f);

	if (f->over)			/* drained_cb comes from the loop */
		turn_add(&f->flush, TURN_LINKS);
	return (rv);
}

size_t
frames_queued(const struct frames *f)
{
	return (f->out.len - f->out_at);
}

/* ---- reading ---- */

static void
frames_end(struct frames *f, const char *why)
{
	event_del(&f->read);
	f->end_cb(f, f->broken != NULL ? f->broken : why, f->arg);
}

static void
frames_read_cb(evutil_socket_t fd, short what, void *arg)
{
	struct frames	*f = arg;
	const char	*why;

	(void)fd, (void)what;
	if ((why = frames_read(f)) != NULL)
		frames_end(f, why);	/* may free f */
}

/* What was kept comes before what is read next. */
static void
frames_more_work(void *arg)
{
	struct frames	*f = arg;
	struct buf	 kept = f->kept;
	const char	*why;

	memset(&f->kept, 0, sizeof(f->kept));
	why = frames_feed(f, kept.data, kept.len);
	buf_clear(&kept);
	if (why != NULL)
		frames_end(f, why);	/* may free f */
}

/* Hand out what the socket has: NULL, or why the link is over. */
static const char *
frames_read(struct frames *f)
{
	static char	 data[FRAMES_READ];
	const char	*why;
	ssize_t		 n;

	budget_begin();
	for (int i = 0; i < FRAMES_READS && f->kept.len == 0; i++) {
		n = recv(f->fd, data, sizeof(data), MSG_DONTWAIT);
		if (n == 0)
			return (f->in.len == 0 ?
			    "the other side closed the link" :
			    "the other side closed the link amid a frame");
		if (n > 0) {
			if ((why = frames_feed(f, data, (size_t)n)) != NULL)
				return (why);
			if ((size_t)n < sizeof(data))
				return (NULL);
		} else if (errno == EAGAIN || errno == EWOULDBLOCK)
			return (NULL);
		else if (errno != ECONNRESET && errno != EINTR)
			return (strerror(errno));
	}
	return (NULL);
}

/* Keep n bytes for another turn, until which the link is not read. */
static const char *
frames_keep(struct frames *f, const char *p, size_t n)
{
	if (buf_add(&f->kept, p, n) == -1)
		return ("no memory for a frame");
	turn_later(&f->more);
	return (NULL);
}

/* Hand out one whole frame. */
static int
frames_hand_out(struct frames *f, const char *frame, size_t len)
{
	budget_charge(BUDGET_MESSAGE);
	budget_bytes(len);
	return (f->message_cb(f, frame, len, f->arg));
}

/*
 * Take n bytes, which may begin and end anywhere.  Whole frames are handed out
 * from where they are; only what is cut by the end is copied.  At least one is
 * handed out, and no more than the turn has time for.
 */
static const char *
frames_feed(struct frames *f, const char *p, size_t n)
{
	struct buf	*in = &f->in;
	const char	*why;
	size_t		 len, want;

	while (n > 0) {
		turn_progress();
		if (in->len == 0 && n >= FRAMES_HEAD) {
			len = bytes_get_be32(p);
			if (len > LINK_FRAME_MAX)
				goto too_long;
			if (len <= n - FRAMES_HEAD) {
				p += FRAMES_HEAD;
				n -= FRAMES_HEAD;
				if (frames_hand_out(f, p, len) == -1)
					goto refused;
				p += len;
				n -= len;
				if (n > 0 && budget_over())
					return (frames_keep(f, p, n));
				continue;
			}
		}
		want = FRAMES_HEAD;
		if (in->len >= FRAMES_HEAD)
			want += bytes_get_be32(in->data);
		if ((want -= in->len) > n)
			want = n;
		if (buf_add(in, p, want) == -1) {
			why = "no memory for a frame";
			goto bad;
		}
		p += want;
		n -= want;
		if (in->len < FRAMES_HEAD)
			continue;
		if ((len = bytes_get_be32(in->data)) > LINK_FRAME_MAX)
			goto too_long;
		if (in->len - FRAMES_HEAD < len)
			continue;
		if (frames_hand_out(f, in->data + FRAMES_HEAD, len) == -1)
			goto refused;
		frames_reset(in);
		if (n > 0 && budget_over())
			return (frames_keep(f, p, n));
	}
	return (NULL);
too_long:
	why = "a frame was larger than allowed";
	goto bad;
refused:
	why = "a message was refused";
bad:
	log_warn("link peer=%s error=\"%s\"", f->name, why);
	return (why);
}

/* ---- writing ---- */

static void
frames_flush_work(void *arg)
{
	struct frames	*f = arg;

	frames_write(f);
	frames_drained(f);
}

static void
frames_write_cb(evutil_socket_t fd, short what, void *arg)
{
	struct frames	*f = arg;

	(void)fd, (void)what;
	f->blocked = 0;
	frames_write(f);
	frames_drained(f);
}

/* 0 when the queue is empty, or -1 with errno. */
static int
frames_write(struct frames *f)
{
	ssize_t	n;

	if (frames_queued(f) == 0)
		return (0);
	if (f->broken != NULL) {
		errno = EPIPE;
		return (-1);
	}
	if (f->blocked) {
		errno = EAGAIN;
		return (-1);
	}
	do
		n = send(f->fd, f->out.data + f->out_at, frames_queued(f),
		    MSG_NOSIGNAL | MSG_DONTWAIT);
	while (n == -1 && errno == EINTR);
	if (n == -1 && errno != EAGAIN && errno != ENOBUFS && errno != ENOMEM) {
		f->broken = strerror(errno);
		shutdown(f->fd, SHUT_RDWR);
		errno = EPIPE;
		return (-1);
	}
	if (n > 0)
		f->out_at += (size_t)n;
	if (f->out_at == f->out.len) {
		frames_reset(&f->out);
		f->out_at = 0;
		return (0);
	}
	f->blocked = 1;
	event_add(&f->write, NULL);
	errno = EAGAIN;
	return (-1);
}

static void
frames_drained(struct frames *f)
{
	if (!f->over || frames_queued(f) > f->mark / 2)
		return;
	f->over = 0;
	if (f->drained_cb != NULL)
		f->drained_cb(f, f->arg);
}

/* Empty it; memory that one burst needed goes back. */
static void
frames_reset(struct buf *b)
{
	if (b->cap > FRAMES_KEEP)
		buf_clear(b);
	else
		b->len = 0;
}
