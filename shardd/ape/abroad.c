/* Files that other servers have. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/bytes.h"
#include "common/list.h"
#include "shardd/ape/abroad.h"
#include "shardd/ape/bounds.h"
#include "shardd/ape/quota.h"
#include "shardd/ape/refuse.h"
#include "shardd/ape/share.h"
#include "shardd/ape/signpost.h"
#include "shardd/forest/porter.h"

#define TRIPS_MAX	64		/* that are on their way */
#define TRIP_JOIN_MS	1000		/* how long another may go along */
#define TRIP_LIFE_MS	120000		/* of a file that comes */

/* A file that is fetched. */
struct trip {
	struct list	 at;
	struct list	 waiting;	/* struct trip_guest */
	struct porter	*porter;
	uint64_t	 since;
	char		*target;
	struct asker	 who;
	int		 link;		/* it is for who alone */
	int		 fd;		/* -1: its head has not come */
	int		 whole;		/* there: nobody gets it before it is here, too */
	struct share_head *head;
	uint64_t	 quota;
};

/* Somebody who wants it. */
struct trip_guest {
	struct list	 at;
	abroad_cb	*cb;
	void		*arg;
};

/* A body that is brought. */
struct parcel {
	struct list	 at;
	struct porter	*porter;
	struct kennel_request *q;
	int		 fd;
	int		 status;	/* of the answer, or 0 */
	struct buf	 body;		/* of it */
};

static struct list	 trips = { &trips, &trips };
static struct list	 parcels = { &parcels, &parcels };
static size_t		 ntrips;

/* ---- fetching ---- */

/* Give it to all who wait: fd, which stays the trip's, or -1. */
static void
trip_serve(struct trip *t, int fd, int status)
{
	struct trip_guest	*g;
	int			 copy;

	while (!list_empty(&t->waiting)) {
		g = list_entry(t->waiting.next, struct trip_guest, at);
		list_remove(&g->at);
		copy = fd == -1 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 0);
		g->cb(copy, copy == -1 && fd != -1 ? 503 : status, g->arg);
		free(g);
	}
}

/* The end of a trip; what has come of the file is its readers'. */
static void
trip_free(struct trip *t)
{
	list_remove(&t->at);
	ntrips--;
	quota_give("", t->quota);
	porter_free(t->porter);
	share_unmap(t->head);
	if (t->fd != -1)
		close(t->fd);
	free(t->target);
	free(t);
}

/* The other server has answered. */
static int
trip_head(const struct http_answer *a, void *arg)
{
	struct trip	*t = arg;

	if (a->status != 200 || (t->fd = share_blank(&t->head)) == -1)
		return (-1);
	t->head->until = kennel_time() + TRIP_LIFE_MS;
	t->head->state = SHARE_COMES;
	t->whole = t->link || slice_is(http_answer_field(a, "X-Ape-Complete"),
	    "1");
	if (!t->whole)
		trip_serve(t, t->fd, 200);
	return (0);
}

/* More of the file has come. */
static int
trip_body(const char *data, size_t len, void *arg)
{
	struct trip	*t = arg;
	size_t		 at = 0;
	ssize_t		 n;

	if (quota_take("", len) == -1)
		return (-1);
	t->quota += len;
	while (at < len) {
		n = pwrite(t->fd, data + at, len - at, (off_t)(SHARE_PAGE +
		    t->head->total + at));
		if (n <= 0)
			return (-1);
		at += (size_t)n;
	}
	__atomic_store_n(&t->head->total, t->head->total + len,
	    __ATOMIC_RELEASE);
	return (0);
}

/* It is all there, or does not come. */
static void
trip_end(int err, void *arg)
{
	struct trip	*t = arg;

	t->porter = NULL;
	if (t->fd != -1)
		__atomic_store_n(&t->head->state, err == 0 ? SHARE_WHOLE :
		    SHARE_BROKEN, __ATOMIC_RELEASE);
	trip_serve(t, err == 0 ? t->fd : -1, err == 0 ? 200 : 404);
	trip_free(t);
}

static const struct porter_ops trip_ops = { trip_head, trip_body, trip_end };

/* Lines of a request that say who asks. */
static void
abroad_headers(char *dst, size_t size, const struct asker *who)
{
	snprintf(dst, size, "%s%s%s%s%s%s",
	    who->cookie[0] == '\0' ? "" : "Cookie: apeClientId=", who->cookie,
	    who->cookie[0] == '\0' ? "" : "\r\n",
	    who->header[0] == '\0' ? "" : "X-Ape-Client-Id: ", who->header,
	    who->header[0] == '\0' ? "" : "\r\n");
}

/* It is known where the server is that has it. */
static void
trip_where_cb(const char *server, const char *where, void *arg)
{
	struct trip		*t = arg;
	char			 headers[160];
	struct porter_errand	 e = {
		.where = where, .method = "GET", .target = t->target,
		.headers = headers, .key = kennel_option(SIGNPOST_KEY),
		.fd = -1, .max = bounds_get(BOUND_FILE),
	};

	abroad_headers(headers, sizeof(headers), &t->who);
	if (where != NULL && (t->porter = porter_new(&e, &trip_ops, t)) !=
	    NULL) {
		kennel_log_at(KENNEL_LOG_DEBUG, "ape file path=%s is fetched "
		    "from server=%s", t->target, server);
		return;
	}
	trip_serve(t, -1, 404);
	trip_free(t);
}

/* Is there a trip for that already, of which not too much is over?  A file may be shared
 * anew under its id. */
static struct trip *
trip_of(const char *target)
{
	struct list	*e, *tmp;

	list_each(e, tmp, &trips) {
		struct trip	*t = list_entry(e, struct trip, at);

		if (!t->link && strcmp(t->target, target) == 0 &&
		    kennel_time() - t->since <= TRIP_JOIN_MS)
			return (t);
	}
	return (NULL);
}

/* Another trip, with its first guest.  NULL: cb was called. */
static struct trip *
trip_new(const char *target, abroad_cb *cb, void *arg)
{
	struct trip_guest	*g = NULL;
	struct trip		*t = NULL;

	if (ntrips >= TRIPS_MAX || (t = calloc(1, sizeof(*t))) == NULL ||
	    (g = calloc(1, sizeof(*g))) == NULL ||
	    (t->target = strdup(target)) == NULL) {
		free(g);
		free(t);
		cb(-1, 503, arg);
		return (NULL);
	}
	t->since = kennel_time();
	t->fd = -1;
	list_init(&t->waiting);
	g->cb = cb;
	g->arg = arg;
	list_push(&t->waiting, &g->at);
	list_push(&trips, &t->at);
	ntrips++;
	return (t);
}

/* Go along with t.  0, or -1 without memory. */
static int
trip_join(struct trip *t, abroad_cb *cb, void *arg)
{
	struct trip_guest	*g;

	if (t->fd != -1 && !t->whole) {
		cb(fcntl(t->fd, F_DUPFD_CLOEXEC, 0), 503, arg);
		return (0);
	}
	if ((g = calloc(1, sizeof(*g))) == NULL)
		return (-1);
	g->cb = cb;
	g->arg = arg;
	list_push(&t->waiting, &g->at);
	return (0);
}

void
abroad_share(struct kennel_request *q, const char *id, abroad_cb *cb, void *arg)
{
	struct trip	*t = trip_of(kennel_request_path(q));

	if (t != NULL && trip_join(t, cb, arg) == 0)
		return;
	if ((t = trip_new(kennel_request_path(q), cb, arg)) != NULL)
		signpost_find(id, trip_where_cb, t);
}

void
abroad_link(struct kennel_request *q, const char *server,
    const struct asker *who, abroad_cb *cb, void *arg)
{
	struct trip	*t;

	if ((t = trip_new(kennel_request_path(q), cb, arg)) == NULL)
		return;
	t->link = 1;
	t->who = *who;
	signpost_where(server, trip_where_cb, t);
}

/* ---- bringing ---- */

/* The other server has taken it, or has not. */
static int
parcel_head(const struct http_answer *a, void *arg)
{
	struct parcel	*p = arg;

	p->status = a->status;
	return (0);
}

/* What it says. */
static int
parcel_body(const char *data, size_t len, void *arg)
{
	struct parcel	*p = arg;

	return (buf_add(&p->body, data, len));
}

/* That was all. */
static void
parcel_end(int err, void *arg)
{
	struct parcel	*p = arg;

	if (err != 0 || p->status == 0 || p->body.failed)
		refuse(p->q, 502, "The server that expects this file is not "
		    "reached");
	else
		kennel_respond(p->q, p->status, "application/json", p->body.data,
		    p->body.len);
	buf_clear(&p->body);
	list_remove(&p->at);
	close(p->fd);
	free(p);
}

static const struct porter_ops parcel_ops = {
	parcel_head, parcel_body, parcel_end
};

int
abroad_put(struct kennel_request *q, const char *where, const struct asker *who,
    int fd, uint64_t size)
{
	char			 headers[160];
	struct porter_errand	 e = {
		.where = where, .method = "PUT",
		.target = kennel_request_path(q), .headers = headers,
		.key = kennel_option(SIGNPOST_KEY), .size = size, .max = 4096,
	};
	struct parcel		*p;

	if (e.key == NULL || (p = calloc(1, sizeof(*p))) == NULL)
		return (-1);
	abroad_headers(headers, sizeof(headers), who);
	p->q = q;
	p->body.max = 4096;
	if ((e.fd = p->fd = fcntl(fd, F_DUPFD_CLOEXEC, 0)) != -1 &&
	    (p->porter = porter_new(&e, &parcel_ops, p)) != NULL) {
		list_push(&parcels, &p->at);
		return (0);
	}
	if (p->fd != -1)
		close(p->fd);
	free(p);
	return (-1);
}
