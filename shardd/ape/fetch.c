/* Files that are asked for by HTTP. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/list.h"
#include "shardd/ape/abroad.h"
#include "shardd/ape/fetch.h"
#include "shardd/ape/refuse.h"
#include "shardd/ape/share.h"
#include "shardd/ape/signpost.h"

#define FETCH_ANSWER_MS	2000		/* for other shards */
#define FETCH_PUMP_MS	10
#define FETCH_CHUNK	(64 << 10)
#define FETCH_TURN	4		/* chunks at one go */
#define FETCH_SLOTS	64		/* shards that are asked */
#define FETCHES_MAX	1000		/* that wait for answers */

/* A question to other shards. */
struct ask {
	struct list	 at;
	uint64_t	 token;
	int		 waiting;	/* answers */
	int		 fds[FETCH_SLOTS], n;
	fetch_cb	*cb;
	void		*arg;
	int		 share;		/* the best of several */
	struct kennel_timer *timer;
	char		 id[SHARE_ID_MAX + 1];	/* of what is shared */
};

/* A file of ours that nobody has sent yet: another node may have been first. */
struct rival {
	int		 fd;
	fetch_cb	*cb;
	void		*arg;
};

/* A client that gets a file which is not whole. */
struct pump {
	struct kennel_socket *socket;	/* NULL: not opened yet */
	struct kennel_request *q;	/* waits until it is whole; or NULL */
	struct kennel_timer *timer;
	struct share_head *head;
	int		 fd, high;
	uint64_t	 sent;
};

static struct list	 asks = { &asks, &asks };
static size_t		 nasks;

static const char	 fetch_none[] = "Download not found or unauthorized";
static const char	 fetch_type[] = "application/octet-stream";

/* ---- questions ---- */

/* The cluster knows who was first. */
static void
rival_cb(const char *server, const char *where, void *arg)
{
	struct rival	 r = *(struct rival *)arg;

	(void)where;
	free(arg);
	if (server != NULL) {
		close(r.fd);
		r.fd = -1;
	}
	r.cb(r.fd, r.arg);
}

/*
 * Give the shared file of that id, but for one that another node keeps.  In a forest of clusters
 * each gives what was announced to itself: who was first there is another operator's server, which
 * may be away for long, and could keep our clients from any id by announcing it.
 */
static void
fetch_first(const char *id, int fd, fetch_cb *cb, void *arg)
{
	struct rival	*r;

	if (fd == -1 || !signpost_decides() || !share_is_empty(fd) ||
	    (r = malloc(sizeof(*r))) == NULL) {
		cb(fd, arg);
		return;
	}
	*r = (struct rival){ fd, cb, arg };
	signpost_find(id, rival_cb, r);
}

/* All have answered, or not in time. */
static void
ask_end(struct ask *a)
{
	int	 best = a->n == 0 ? -1 : a->share ? share_choose(a->fds, a->n) :
		    0;
	int	 fd = best == -1 ? -1 : a->fds[best];
	struct ask	 was = *a;

	for (int i = 0; i < a->n; i++)
		if (i != best)
			close(a->fds[i]);
	kennel_timer_free(a->timer);
	list_remove(&a->at);
	nasks--;
	free(a);
	if (was.share)
		fetch_first(was.id, fd, was.cb, was.arg);
	else
		was.cb(fd, was.arg);
}

/* It takes too long. */
static void
ask_late_cb(void *arg)
{
	ask_end(arg);
}

/* A question whose answers go to cb.  NULL without memory: cb has been called. */
static struct ask *
ask_new(int share, fetch_cb *cb, void *arg)
{
	struct ask	*a;

	if (nasks >= FETCHES_MAX || (a = calloc(1, sizeof(*a))) == NULL ||
	    (a->timer = kennel_timer_new(FETCH_ANSWER_MS, 0, ask_late_cb,
	    a)) == NULL) {
		if (nasks < FETCHES_MAX)
			free(a);
		cb(-1, arg);
		return (NULL);
	}
	a->token = bytes_random64();
	a->cb = cb;
	a->arg = arg;
	a->share = share;
	list_push(&asks, &a->at);
	nasks++;
	return (a);
}

void
fetch_answered(const struct courier_note *n, int fd)
{
	struct list	*e, *tmp;

	list_each(e, tmp, &asks) {
		struct ask	*a = list_entry(e, struct ask, at);

		if (a->token != n->token)
			continue;
		if (fd != -1 && a->n < FETCH_SLOTS)
			a->fds[a->n++] = fd;
		else if (fd != -1)
			close(fd);
		if (--a->waiting <= 0)
			ask_end(a);
		return;
	}
	if (fd != -1)
		close(fd);
}

void
fetch_asked(const struct courier_note *n, int fd)
{
	struct courier_note	 answer = { .kind = COURIER_ANSWER,
				    .token = n->token };
	struct asker	 who = { "", "" };
	const char		*at = n->text, *end = at + n->len;
	char			 text[3][COURIER_TEXT] = { "", "", "" };

	if (fd != -1)
		close(fd);
	for (int i = 0; i < 3 && at < end; i++) {
		size_t	 len = strnlen(at, (size_t)(end - at));

		memcpy(text[i], at, len);
		text[i][len < COURIER_TEXT ? len : COURIER_TEXT - 1] = '\0';
		at += len + 1;
	}
	snprintf(who.cookie, sizeof(who.cookie), "%.20s", text[1]);
	snprintf(who.header, sizeof(who.header), "%.20s", text[2]);
	courier_send(n->from, &answer, n->kind == COURIER_ASK_SHARE ?
	    share_find(text[0]) : download_find(text[0], &who));
}

/* A note that asks; its texts are terminated. */
static void
fetch_note(struct courier_note *n, uint32_t kind, const char *name,
    const struct asker *who)
{
	memset(n, 0, sizeof(*n));
	n->kind = kind;
	n->len = (uint32_t)snprintf(n->text, sizeof(n->text), "%s%c%s%c%s", name,
	    0, who == NULL ? "" : who->cookie, 0,
	    who == NULL ? "" : who->header) + 1;
}

void
fetch_share(const char *id, fetch_cb *cb, void *arg)
{
	struct courier_note	 n;
	struct ask		*a;
	int			 fd;

	if (strlen(id) > SHARE_ID_MAX) {
		cb(-1, arg);
		return;
	}
	if ((a = ask_new(1, cb, arg)) == NULL)
		return;
	strcpy(a->id, id);
	if ((fd = share_find(id)) != -1)
		a->fds[a->n++] = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	fetch_note(&n, COURIER_ASK_SHARE, id, NULL);
	n.token = a->token;
	a->waiting = 1;			/* ourselves, until all are asked */
	for (unsigned slot = 0; slot < FETCH_SLOTS; slot++)
		if (slot != kennel_slot() && courier_send(slot, &n, -1) == 0)
			a->waiting++;
	if (--a->waiting == 0)
		ask_end(a);
}

/* ---- streams of what is not whole ---- */

/* The client's stream or request ends. */
static void
pump_free(struct pump *p)
{
	kennel_timer_free(p->timer);
	share_unmap(p->head);
	if (p->fd != -1)
		close(p->fd);
	free(p);
}

/* It was never opened. */
static void
pump_drop(void *arg)
{
	pump_free(arg);
}

/* Is there nothing more to come?  Then say how it ended. */
static int
pump_is_over(struct pump *p, uint64_t total)
{
	uint32_t	 state = __atomic_load_n(&p->head->state,
			    __ATOMIC_ACQUIRE);

	if (state == SHARE_WHOLE && p->sent >= __atomic_load_n(&p->head->total,
	    __ATOMIC_ACQUIRE)) {
		kennel_close(p->socket, 1000, NULL);
		return (1);
	}
	if (state != SHARE_BROKEN && (p->sent < total ||
	    __atomic_load_n(&p->head->until, __ATOMIC_ACQUIRE) > kennel_time()))
		return (0);
	kennel_close(p->socket, 1011, "the upload did not end well");
	return (1);
}

/* Send what has come. */
static void
pump_cb(void *arg)
{
	static char	 chunk[FETCH_CHUNK];
	struct pump	*p = arg;
	uint64_t	 total = __atomic_load_n(&p->head->total,
			    __ATOMIC_ACQUIRE);
	size_t		 n;
	ssize_t		 got;

	for (int i = 0; i < FETCH_TURN && !p->high && p->sent < total; i++) {
		n = total - p->sent < sizeof(chunk) ?
		    (size_t)(total - p->sent) : sizeof(chunk);
		got = pread(p->fd, chunk, n, (off_t)(SHARE_PAGE + p->sent));
		if (got <= 0)
			break;
		if (kennel_send(p->socket, chunk, (size_t)got,
		    KENNEL_BINARY) == -1)
			return;
		p->sent += (uint64_t)got;
	}
	if (pump_is_over(p, total)) {
		kennel_timer_free(p->timer);
		p->timer = NULL;
	}
}

void
fetch_open(struct kennel_socket *s)
{
	struct pump	*p = kennel_socket_data(s);

	p->socket = s;
	p->timer = kennel_timer_new(FETCH_PUMP_MS, 1, pump_cb, p);
	if (p->timer == NULL)
		kennel_close(s, 1011, NULL);
}

void
fetch_pressure(struct kennel_socket *s, int high)
{
	struct pump	*p = kennel_socket_data(s);

	if (p != NULL)
		p->high = high;
}

void
fetch_close(struct kennel_socket *s)
{
	struct pump	*p = kennel_socket_data(s);

	kennel_socket_set_data(s, NULL);
	if (p != NULL)
		pump_free(p);
}

/* ---- answers ---- */

/* How far a shared file is, for the head. */
static void
fetch_head(struct kennel_request *q, const struct share_head *h, int whole)
{
	char	 text[32];

	kennel_header(q, "X-Content-Type-Options", "nosniff");
	kennel_header(q, "Cache-Control", "no-store");
	if (h == NULL)
		return;
	kennel_header(q, "X-Ape-Complete", whole ? "1" : "0");
	snprintf(text, sizeof(text), "%" PRIu64, h->total);
	kennel_header(q, "X-Ape-Total-Received", text);
}

/* A route that has a group has no streams of files: its clients hear the group.  The
 * answer is given when the file is whole. */
static void
pump_wait_cb(void *arg)
{
	struct pump	*p = arg;
	uint32_t	 state = __atomic_load_n(&p->head->state,
			    __ATOMIC_ACQUIRE);

	if (state == SHARE_WHOLE) {
		fetch_head(p->q, p->head, 1);
		kennel_respond_fd(p->q, 200, fetch_type, p->fd, SHARE_PAGE,
		    p->head->total);
	} else if (state == SHARE_BROKEN || p->head->until <= kennel_time())
		refuse(p->q, 404, fetch_none);
	else
		return;
	pump_free(p);
}

/* A shared file, fd, that is not whole. */
static void
fetch_follow(struct kennel_request *q, int fd, struct share_head *h)
{
	struct pump	*p;

	if ((p = calloc(1, sizeof(*p))) == NULL) {
		share_unmap(h);
		close(fd);
		refuse(q, 503, "out of memory");
		return;
	}
	p->fd = fd;
	p->head = h;
	fetch_head(q, h, 0);
	if (kennel_request_replica(q) != NULL) {
		p->q = q;
		p->timer = kennel_timer_new(FETCH_PUMP_MS, 1, pump_wait_cb, p);
		if (p->timer != NULL)
			return;
	} else if (kennel_request_set_data(q, p, pump_drop) == 0) {
		kennel_stream(q, 200, fetch_type);
		return;
	}
	pump_free(p);
	refuse(q, 503, "out of memory");
}

/* It is not there for who asks. */
static void
fetch_refuse(struct kennel_request *q)
{
	struct asker	 who;

	asker_of(&who, q);
	if (asker_name(&who)[0] == '\0' && !asker_is_server(q))
		refuse(q, 401, "Missing session identifier");
	else
		refuse(q, 404, fetch_none);
}

/* A shared file, fd, goes to q. */
static void
fetch_give(struct kennel_request *q, int fd)
{
	struct share_head	*h;

	if ((h = share_map(fd)) == NULL) {
		close(fd);
		refuse(q, 503, "out of memory");
		return;
	}
	if (__atomic_load_n(&h->state, __ATOMIC_ACQUIRE) != SHARE_WHOLE) {
		fetch_follow(q, fd, h);
		return;
	}
	fetch_head(q, h, 1);
	kennel_respond_fd(q, 200, fetch_type, fd, SHARE_PAGE, h->total);
	share_unmap(h);
	close(fd);
}

/* Another server has brought it, or has it not. */
static void
fetch_abroad_cb(int fd, int status, void *arg)
{
	struct kennel_request	*q = arg;

	if (fd != -1)
		fetch_give(q, fd);
	else if (status == 503)
		refuse(q, 503, "Too many files are on their way");
	else
		fetch_refuse(q);
}

/* What stands at the end of q's path. */
static const char *
fetch_name(const struct kennel_request *q)
{
	return (strrchr(kennel_request_path(q), '/') + 1);
}

/* A shared file was found in this node, or was not. */
static void
fetch_share_cb(int fd, void *arg)
{
	struct kennel_request	*q = arg;

	if (fd != -1)
		fetch_give(q, fd);
	else if (asker_is_server(q))	/* it has asked who should have it */
		fetch_refuse(q);
	else
		abroad_share(q, fetch_name(q), fetch_abroad_cb, q);
}

/* A download was found in another server, or was not. */
static void
fetch_far_link_cb(int fd, int status, void *arg)
{
	struct kennel_request	*q = arg;

	if (fd == -1 && status == 404)
		fetch_share(fetch_name(q), fetch_share_cb, q);
	else
		fetch_abroad_cb(fd, status, q);
}

/* A download was found in this node, or was not. */
static void
fetch_link_cb(int fd, void *arg)
{
	struct kennel_request	*q = arg;

	if (fd == -1) {			/* a shared file may have such a name */
		fetch_share(fetch_name(q), fetch_share_cb, q);
		return;
	}
	fetch_head(q, NULL, 1);
	kennel_respond_fd(q, 200, fetch_type, fd, 0, UINT64_MAX);
	close(fd);
}

void
fetch_get(struct kennel_request *q, const char *name,
    const struct asker *who)
{
	struct courier_note	 n;
	struct ask		*a;
	const char		*server = download_server(name);
	int			 slot = -1, fd;

	if (server != NULL)
		slot = courier_slot(name, DOWNLOAD_NAME);
	if (slot != -1 && *server != '\0' && !asker_is_server(q) &&
	    (signpost_here() == NULL || strcmp(server, signpost_here()) != 0)) {
		abroad_link(q, server, who, fetch_far_link_cb, q);
		return;
	}
	if (slot == (int)kennel_slot() &&
	    (fd = download_find(name, who)) != -1) {
		fetch_link_cb(fcntl(fd, F_DUPFD_CLOEXEC, 0), q);
		return;
	}
	if (slot == -1 || slot == (int)kennel_slot()) {
		fetch_share(name, fetch_share_cb, q);
		return;
	}
	if ((a = ask_new(0, fetch_link_cb, q)) == NULL)
		return;
	fetch_note(&n, COURIER_ASK_LINK, name, who);
	n.token = a->token;
	a->waiting = 1;
	if (courier_send((unsigned)slot, &n, -1) == -1)
		ask_end(a);
}
