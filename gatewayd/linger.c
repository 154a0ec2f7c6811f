/* Clients that were answered for the last time. */
#include <sys/socket.h>

#include <errno.h>
#include <stdlib.h>

#include <event2/event.h>
#include <event2/event_struct.h>

#include "common/bytes.h"
#include "common/clock.h"
#include "common/list.h"
#include "common/sock.h"
#include "gatewayd/linger.h"
#include "gatewayd/totals.h"
#include "proto/http_reply.h"
#include "proto/limits.h"

#define LINGER_MS	1000
#define LINGER_PATIENT_MS 5000		/* one that was served reads nothing of the rest */
#define LINGER_LEAST_MS	100		/* from one look at the time to the next */
#define LINGER_BYTES	(64 << 10)
#define LINGER_SERVED	(32 << 20)	/* the same of one that was served */
#define LINGER_READS	64		/* at one go */

struct lingerer {
	struct list	 at;		/* earliest deadline first */
	struct event	 ev;
	struct lingerers *all;
	int		 fd;
	uint64_t	 deadline;	/* clock_ms */
	size_t		 left;		/* bytes that are discarded yet */
	int		 served;	/* it may have more to read than its answer */
	size_t		 owed;		/* bytes that it had not taken at the last look */
	uint64_t	 since;		/* clock_ms: until then it has read enough */
};

struct lingerers {
	struct event_base *base;
	struct totals	*totals;
	struct event	*timer;
	struct list	 list;
	size_t		 count, max;
};

static int	 lingerer_new(struct lingerers *, int, size_t);
static void	 lingerer_close(struct lingerer *);
static void	 lingerer_read_cb(evutil_socket_t, short, void *);
static void	 linger_arm(struct lingerers *);
static void	 linger_timer_cb(evutil_socket_t, short, void *);

struct lingerers *
linger_new(struct event_base *base, unsigned max, struct totals *totals)
{
	struct lingerers *l;

	if ((l = calloc(1, sizeof(*l))) == NULL)
		return (NULL);
	l->base = base;
	l->max = max;
	l->totals = totals;
	list_init(&l->list);
	if ((l->timer = evtimer_new(base, linger_timer_cb, l)) == NULL) {
		free(l);
		errno = ENOMEM;
		return (NULL);
	}
	return (l);
}

void
linger_free(struct lingerers *l)
{
	struct list	*e, *tmp;

	if (l == NULL)
		return;
	list_each(e, tmp, &l->list)
		lingerer_close(list_entry(e, struct lingerer, at));
	event_free(l->timer);
	free(l);
}

/* Write the end only, and discard so many bytes.  Takes fd. */
static void
linger_end(struct lingerers *l, int fd, size_t most)
{
	(void)shutdown(fd, SHUT_WR);
	if (l->count >= l->max || lingerer_new(l, fd, most) == -1)
		sock_end(fd, 0);
}

/* Write what is in out, as far as that is possible, and the end.  Takes both. */
static void
linger_say(struct lingerers *l, int fd, struct buf *out, size_t most)
{
	/* What the kernel does not take is not said; what it has is read all the same. */
	if (!out->failed && out->len > 0)
		(void)send(fd, out->data, out->len, MSG_DONTWAIT | MSG_NOSIGNAL);
	buf_clear(out);
	linger_end(l, fd, most);
}

void
linger_answer(struct lingerers *l, int fd, struct buf *out)
{
	linger_say(l, fd, out, LINGER_BYTES);
}

void
linger_served(struct lingerers *l, int fd, struct buf *out)
{
	linger_say(l, fd, out, LINGER_SERVED);
}

void
linger_refuse(struct lingerers *l, int fd, enum refusal why, int status,
    const char *text, int head_only)
{
	struct buf	 out = { .max = 4096 };

	totals_refuse(l->totals, why);
	http_reply_error(&out, status != 0 ? status : refusal_status(why),
	    text != NULL ? text : refusal_text(why), refusal_after(why),
	    head_only);
	linger_answer(l, fd, &out);
}

void
linger_turn_away(struct lingerers *l, int fd, int raw, enum refusal why,
    int head_only)
{
	if (!raw) {
		linger_refuse(l, fd, why, 0, NULL, head_only);
		return;
	}
	totals_refuse(l->totals, why);
	linger_end(l, fd, LINGER_BYTES);
}

/* ---- one ---- */

/* One of which so many bytes are discarded.  fd is taken only on success: 0, or -1. */
static int
lingerer_new(struct lingerers *l, int fd, size_t most)
{
	struct lingerer	*one;

	if ((one = calloc(1, sizeof(*one))) == NULL)
		return (-1);
	if (event_assign(&one->ev, l->base, fd, EV_READ | EV_PERSIST,
	    lingerer_read_cb, one) == -1) {
		free(one);
		return (-1);
	}
	/* If the loop does not take the socket, the deadline will end it. */
	(void)event_add(&one->ev, NULL);
	one->all = l;
	one->fd = fd;
	one->left = most;
	one->served = most == LINGER_SERVED;
	one->owed = sock_unsent(fd);
	one->since = clock_ms();
	one->deadline = one->since + LINGER_MS;
	list_push(&l->list, &one->at);
	l->count++;
	if (!evtimer_pending(l->timer, NULL))
		linger_arm(l);
	return (0);
}

/* Frees a lingerer. */
static void
lingerer_close(struct lingerer *one)
{
	event_del(&one->ev);
	list_remove(&one->at);
	one->all->count--;
	sock_end(one->fd, 0);
	free(one);
}

/* A lingerer sent more, or has gone. */
static void
lingerer_read_cb(evutil_socket_t fd, short what, void *arg)
{
	static char	 buf[16 << 10];
	struct lingerer	*one = arg;
	ssize_t		 n = 1;

	(void)what;
	for (int i = 0; i < LINGER_READS && n > 0; i++) {
		n = recv(fd, buf, sizeof(buf), MSG_DONTWAIT);
		if (n > 0 && (size_t)n > one->left)
			n = 0;
		else if (n > 0)
			one->left -= (size_t)n;
	}
	if (n == 0 || (n == -1 && errno != EAGAIN && errno != EINTR))
		lingerer_close(one);
}

/* ---- time ---- */

/* Is it still reading what it was owed, PACE_LEAST bytes a second at least? */
static int
lingerer_reads(struct lingerer *one, uint64_t now)
{
	size_t		 owed = sock_unsent(one->fd);
	uint64_t	 age = now - one->since, ms = 0;

	if (owed < one->owed)
		ms = (one->owed - owed) * 1000 / PACE_LEAST;
	one->owed = owed;
	one->since += ms < age ? ms : age;
	return (one->served && owed > 0 &&
	    now - one->since < LINGER_PATIENT_MS);
}

/* Wake when the first lingerer's time is over. */
static void
linger_arm(struct lingerers *l)
{
	const struct lingerer	*first;
	struct timeval		 tv;
	uint64_t		 now = clock_ms(), ms;

	if (list_empty(&l->list))
		return;
	first = list_entry(l->list.next, struct lingerer, at);
	ms = first->deadline <= now + LINGER_LEAST_MS ? LINGER_LEAST_MS :
	    first->deadline - now;
	tv.tv_sec = (time_t)(ms / 1000);
	tv.tv_usec = (suseconds_t)(ms % 1000 * 1000);
	evtimer_add(l->timer, &tv);
}

/* Close those whose time is over. */
static void
linger_timer_cb(evutil_socket_t fd, short what, void *arg)
{
	struct lingerers *l = arg;
	struct lingerer	*one;
	uint64_t	 now = clock_ms();

	(void)fd, (void)what;
	while (!list_empty(&l->list)) {
		one = list_entry(l->list.next, struct lingerer, at);
		if (one->deadline > now)
			break;
		/* Half of the places are for those who need one for a second. */
		if (!lingerer_reads(one, now) || l->count > (l->max + 1) / 2) {
			lingerer_close(one);
			continue;
		}
		one->deadline = now + LINGER_MS;	/* later than all others */
		list_remove(&one->at);
		list_push(&l->list, &one->at);
	}
	linger_arm(l);
}
