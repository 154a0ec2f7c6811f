/* A question to all Sentinels of a URL. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/redis_sentinel.h"
#include "common/redis_url.h"

struct redis_heard {			/* of one of them */
	struct redis_sentinel *s;
	struct redis_voice *voice;	/* NULL: it has answered, or will not */
	int		 known;		/* it has named one: */
	struct redis_named named;
};

struct redis_sentinel {
	const struct redis_url *url;
	uint64_t	 epoch;		/* of what was believed before */
	redis_sentinel_cb *cb;
	void		*arg;
	size_t		 waiting;	/* for so many */
	char		 why[REDIS_HOST_MAX + 320]; /* of the last that was of no use */
	struct redis_named named;	/* for who asks */
	struct redis_heard heard[REDIS_PLACES];
};

/* How many name the same as this one. */
static size_t
redis_sentinel_agree(const struct redis_sentinel *s,
    const struct redis_named *named)
{
	const struct redis_heard	*h;
	size_t				 n = 0;

	for (size_t i = 0; i < s->url->nplaces; i++) {
		h = &s->heard[i];
		n += h->known && h->named.port == named->port &&
		    strcmp(h->named.host, named->host) == 0;
	}
	return (n);
}

/* Whom most of them name, of all who could be asked; NULL: most do not name the same. */
static const struct redis_named *
redis_sentinel_most(const struct redis_sentinel *s)
{
	for (size_t i = 0; i < s->url->nplaces; i++)
		if (s->heard[i].known && 2 * redis_sentinel_agree(s,
		    &s->heard[i].named) > s->url->nplaces)
			return (&s->heard[i].named);
	return (NULL);
}

/* Who was made the master last, of those that are named; NULL: nobody is named. */
static const struct redis_named *
redis_sentinel_last(const struct redis_sentinel *s)
{
	const struct redis_named	*best = NULL, *one;

	for (size_t i = 0; i < s->url->nplaces; i++) {
		one = &s->heard[i].named;
		if (s->heard[i].known && (best == NULL ||
		    one->epoch > best->epoch || (one->epoch == best->epoch &&
		    redis_sentinel_agree(s, one) >
		    redis_sentinel_agree(s, best))))
			best = one;
	}
	return (best);
}

/* Is it sure that this one is the master? */
static int
redis_sentinel_sure(const struct redis_sentinel *s,
    const struct redis_named *named)
{
	const struct redis_named	*one;

	if (2 * redis_sentinel_agree(s, named) > s->url->nplaces &&
	    (s->url->nplaces > 1 || named->quorum >= 0))
		return (1);
	for (size_t i = 0; i < s->url->nplaces; i++) {
		one = &s->heard[i].named;
		if (s->heard[i].known && one->quorum == 1 &&
		    one->sentinels >= s->url->nplaces &&
		    one->port == named->port &&
		    strcmp(one->host, named->host) == 0)
			return (1);
	}
	return (0);
}

/* One has answered, or will not: tell who asks, if that is enough; who may free s. */
static void
redis_sentinel_judge(struct redis_sentinel *s)
{
	const struct redis_named	*named = redis_sentinel_most(s);

	if (named == NULL && s->waiting > 0)
		return;
	if (named == NULL && (named = redis_sentinel_last(s)) != NULL &&
	    named->epoch < s->epoch) {
		snprintf(s->why, sizeof(s->why), "Sentinels that answer name "
		    "%s:%d of epoch %" PRIu64 ", and epoch %" PRIu64 " was "
		    "known", named->host, named->port, named->epoch, s->epoch);
		named = NULL;
	}
	for (size_t i = 0; i < s->url->nplaces; i++) {
		redis_voice_free(s->heard[i].voice);
		s->heard[i].voice = NULL;
	}
	if (named != NULL) {
		s->named = *named;
		s->named.sure = redis_sentinel_sure(s, named);
		named = &s->named;
	}
	s->cb(named, named == NULL ? s->why : NULL, s->arg);
}

/* redis_voice: one has named the master, or has not. */
static void
redis_sentinel_heard_cb(const struct redis_named *named, const char *why,
    void *arg)
{
	struct redis_heard	*h = arg;
	struct redis_sentinel	*s = h->s;

	if (named != NULL)
		h->named = *named;
	else
		snprintf(s->why, sizeof(s->why), "%s", why);
	h->known = named != NULL;
	s->waiting--;
	redis_voice_free(h->voice);
	h->voice = NULL;
	redis_sentinel_judge(s);
}

struct redis_sentinel *
redis_sentinel_new(struct event_base *base, const struct redis_url *url,
    uint64_t epoch, redis_sentinel_cb *cb, void *arg)
{
	struct redis_sentinel	*s;
	struct redis_heard	*h;

	if ((s = calloc(1, sizeof(*s))) == NULL)
		return (NULL);
	s->url = url;
	s->epoch = epoch;
	s->cb = cb;
	s->arg = arg;
	for (; s->waiting < url->nplaces; s->waiting++) {
		h = &s->heard[s->waiting];
		h->s = s;
		if ((h->voice = redis_voice_new(base, url, s->waiting,
		    redis_sentinel_heard_cb, h)) == NULL) {
			redis_sentinel_free(s);
			return (NULL);
		}
	}
	return (s);
}

void
redis_sentinel_free(struct redis_sentinel *s)
{
	if (s == NULL)
		return;
	for (size_t i = 0; i < REDIS_PLACES; i++)	/* url may be gone */
		redis_voice_free(s->heard[i].voice);
	free(s);
}
