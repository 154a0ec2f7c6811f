/* Where a Redis server is now. */
#include <sys/socket.h>
#include <sys/un.h>

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/list.h"
#include "common/log.h"
#include "common/redis_sentinel.h"
#include "common/redis_url.h"
#include "common/redis_where.h"
#include "common/resolve.h"
#include "common/sock.h"

#define REDIS_ADDRS	8
#define REDIS_UNSURE_MS	5000		/* until what is not sure is believed */

struct redis_where {
	struct list	 at;		/* among all of this process */
	struct event_base *base;
	const struct redis_url *url;
	redis_where_cb	*cb;
	void		*arg;
	struct redis_sentinel *sentinel; /* before the look-up; or NULL */
	struct resolve	*resolve;	/* under way, or NULL */
	char		 host[REDIS_HOST_MAX + 1];
	int		 port;
	char		 busy[REDIS_HOST_MAX + 64];
	struct sock_addr addrs[REDIS_ADDRS];
	size_t		 naddrs, addr;	/* the next one, modulo naddrs */
	uint64_t	 epoch;		/* of the master that was found */
	uint64_t	 known;		/* the latest that those Sentinels have named */
	int		 unsure;	/* that one may be a former master */
	uint64_t	 since;		/* clock_ms() + 1: nothing sure was heard; 0: not so */
};

static struct list	 wheres = { &wheres, &wheres };

int
redis_where_same(const struct redis_where *w, const struct redis_where *other)
{
	const struct redis_url	*a = w->url, *b = other->url;

	if (a->master == NULL || b->master == NULL ||
	    strcmp(a->master, b->master) != 0 || a->nplaces != b->nplaces)
		return (0);
	for (size_t i = 0; i < a->nplaces; i++)
		if (a->places[i].port != b->places[i].port ||
		    strcmp(a->places[i].host, b->places[i].host) != 0)
			return (0);
	return (1);
}

/* That epoch was heard of: all who ask the same Sentinels know that, for who has not
 * connected yet is not to believe what another one knows to be over. */
static void
redis_where_learn(const struct redis_where *w, uint64_t epoch, int sure)
{
	struct redis_where	*other;
	struct list		*e;

	for (e = wheres.next; e != &wheres; e = e->next) {
		other = list_entry(e, struct redis_where, at);
		if ((sure || other->known < epoch) &&
		    redis_where_same(w, other))
			other->known = epoch;
	}
}

/* What others have heard. */
static uint64_t
redis_where_known(const struct redis_where *w)
{
	const struct redis_where	*other;
	struct list			*e;

	for (e = wheres.next; e != &wheres; e = e->next) {
		other = list_entry(e, struct redis_where, at);
		if (redis_where_same(w, other))
			return (other->known);
	}
	return (0);
}

struct redis_where *
redis_where_new(struct event_base *base, const struct redis_url *url,
    redis_where_cb *cb, void *arg)
{
	struct redis_where	*w;

	if ((w = calloc(1, sizeof(*w))) == NULL)
		return (NULL);
	w->base = base;
	w->url = url;
	w->cb = cb;
	w->arg = arg;
	w->known = redis_where_known(w);
	list_push(&wheres, &w->at);
	return (w);
}

void
redis_where_free(struct redis_where *w)
{
	if (w == NULL)
		return;
	list_remove(&w->at);
	redis_sentinel_free(w->sentinel);
	resolve_cancel(w->resolve);
	free(w);
}

/* The only address of a Unix socket. */
static void
redis_where_unix(struct redis_where *w)
{
	struct sockaddr_un	*un = (void *)&w->addrs[0].ss;

	un->sun_family = AF_UNIX;
	strncpy(un->sun_path, w->url->path, sizeof(un->sun_path) - 1);
	w->addrs[0].len = sizeof(*un);
	w->naddrs = 1;
}

/* The addresses that the name has now. */
static void
redis_where_resolved_cb(const struct addrinfo *ai, const char *why, void *arg)
{
	struct redis_where	*w = arg;
	char			 text[sizeof(w->host) + 128];

	w->resolve = NULL;
	if (why != NULL) {
		snprintf(text, sizeof(text), "%s: %s", w->host, why);
		w->cb(text, w->arg);
		return;
	}
	for (w->naddrs = 0; ai != NULL && w->naddrs < REDIS_ADDRS;
	    ai = ai->ai_next) {
		memcpy(&w->addrs[w->naddrs].ss, ai->ai_addr, ai->ai_addrlen);
		w->addrs[w->naddrs++].len = ai->ai_addrlen;
	}
	w->cb(NULL, w->arg);
}

/* Look a host up: 0, or -1 with errno. */
static int
redis_where_resolve(struct redis_where *w, const char *host, int port)
{
	snprintf(w->host, sizeof(w->host), "%s", host);
	w->port = port;
	snprintf(w->busy, sizeof(w->busy), "%s: the name is still being looked "
	    "up", host);
	w->resolve = resolve_new(w->base, host, port, redis_where_resolved_cb,
	    w);
	return (w->resolve == NULL ? -1 : 0);
}

/* Somebody was named: is that to be believed now? */
static int
redis_where_believe(struct redis_where *w, const struct redis_named *named)
{
	uint64_t	 now = clock_ms();

	/* Another one may have heard more since w asked. */
	if (!named->sure && named->epoch < w->known)
		return (0);
	redis_where_learn(w, named->epoch, named->sure);
	if (!named->sure) {
		if (w->since == 0)
			w->since = now + 1;
		if (now + 1 - w->since < REDIS_UNSURE_MS)
			return (0);
		log_warn("redis master=%s:%d is believed, though the only "
		    "Sentinels that answer see too few of the others: it may "
		    "be a former one", named->host, named->port);
	}
	w->since = 0;
	w->unsure = !named->sure;
	w->epoch = named->epoch;
	return (1);
}

/* Sentinels named the master, or did not. */
static void
redis_where_named_cb(const struct redis_named *named, const char *why,
    void *arg)
{
	struct redis_where	*w = arg;
	struct redis_sentinel	*s = w->sentinel;	/* has why and named */

	w->sentinel = NULL;
	if (named != NULL && !redis_where_believe(w, named))
		why = "the only Sentinels that answer see too few of the others, "
		    "and may have been cut off: more are waited for";
	else if (named != NULL && redis_where_resolve(w, named->host,
	    named->port) == -1)
		why = strerror(errno);
	if (why != NULL)
		w->cb(why, w->arg);	/* may free w */
	redis_sentinel_free(s);
}

int
redis_where_ask(struct redis_where *w)
{
	if (w->url->path != NULL) {
		redis_where_unix(w);
		w->cb(NULL, w->arg);
		return (0);
	}
	if (w->url->master == NULL)
		return (redis_where_resolve(w, w->url->places[0].host,
		    w->url->places[0].port));
	snprintf(w->busy, sizeof(w->busy), "Sentinels are still being asked");
	w->sentinel = redis_sentinel_new(w->base, w->url, w->known,
	    redis_where_named_cb, w);
	return (w->sentinel == NULL ? -1 : 0);
}

struct redis_sentinel *
redis_where_doubt(struct redis_where *w, redis_sentinel_cb *cb, void *arg)
{
	return (redis_sentinel_new(w->base, w->url, w->known, cb, arg));
}

int
redis_where_was(const struct redis_where *w, const char *host, int port)
{
	return (w->port == port && strcmp(w->host, host) == 0);
}

int
redis_where_unsure(const struct redis_where *w)
{
	return (w->unsure);
}

void
redis_where_settle(struct redis_where *w, uint64_t epoch)
{
	if (w->unsure)
		log_info("redis master=%s:%d is the one that most Sentinels "
		    "name", w->host, w->port);
	w->unsure = 0;
	w->epoch = epoch;
	redis_where_learn(w, epoch, 1);
}

uint64_t
redis_where_epoch(const struct redis_where *w)
{
	return (w->epoch);
}

const char *
redis_where_busy(const struct redis_where *w)
{
	return (w->sentinel != NULL || w->resolve != NULL ? w->busy : NULL);
}

const struct sock_addr *
redis_where_addr(const struct redis_where *w)
{
	return (&w->addrs[w->addr % w->naddrs]);
}

const char *
redis_where_host(const struct redis_where *w)
{
	return (w->host);
}

void
redis_where_next(struct redis_where *w)
{
	w->addr++;
}
