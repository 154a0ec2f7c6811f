/*
 * pact: when a room remembers as many sessions as it may, or its state is nearly
 * full, the oldest sessions that hold nothing make place for a new one: one without
 * socket, properties and vote loses a suffix only.
 */
#include <stdlib.h>
#include <string.h>

#include "shardd/apps/pact_names.h"
#include "shardd/apps/pact_place.h"

#define PLACE_LOOK	64		/* sessions that are looked at together */
#define PLACE_TRIES	4		/* times that, a join */
#define PLACE_ENDS	2		/* sessions that end for one that comes */
#define PLACE_SLACK	16384		/* bytes that a state keeps free */

struct sitter {
	char	*session;
	double	 suffix;
};

struct sitters {
	const struct kennel_step *t;
	struct sitter	 at[2 * PLACE_LOOK];
	size_t		 n;
};

/* Is that what a login without properties leaves? */
static int
place_is_empty(const struct kennel_step *t, const char *session, size_t len)
{
	size_t		 n;
	const char	*v = kennel_get_in(t, "profiles", session, len, &n);

	return (v == NULL || (n == 2 && memcmp(v, "{}", 2) == 0));
}

static void
place_look_cb(const char *key, size_t key_len, const char *value, size_t len,
    void *arg)
{
	struct sitters	*s = arg;
	struct sitter	*sitter = &s->at[s->n];

	(void)len;
	if (s->n == sizeof(s->at) / sizeof(s->at[0]) ||
	    kennel_get_in(s->t, "~online", key, key_len, NULL) != NULL ||
	    !place_is_empty(s->t, key, key_len) ||
	    (sitter->session = strndup(key, key_len)) == NULL)
		return;
	sitter->suffix = strtod(value, NULL);
	s->n++;
}

static int
place_compare(const void *a, const void *b)
{
	double	 x = ((const struct sitter *)a)->suffix;
	double	 y = ((const struct sitter *)b)->suffix;

	return (x < y ? -1 : x > y);
}

struct voter {
	const struct kennel_step *t;
	const char	*session;
	int		 votes;
};

static void
place_vote_cb(const char *key, size_t key_len, const char *value, size_t len,
    void *arg)
{
	struct voter	*v = arg;
	char		*votes = pact_map(pact_poll.votes, key, key_len);

	(void)value, (void)len;
	v->votes += votes == NULL || kennel_get_in(v->t, votes, v->session,
	    strlen(v->session), NULL) != NULL;
	free(votes);
}

static int
place_has_voted(const struct kennel_step *t, const char *session)
{
	struct voter	 v = { .t = t, .session = session };

	kennel_each_in(t, pact_poll.polls, place_vote_cb, &v);
	return (v.votes > 0);
}

/* Of the next sessions from *hand on, the oldest end.  How many. */
static int
place_try(struct kennel_step *t, uint64_t *hand)
{
	struct sitters	 s = { .t = t };
	struct sitter	*at;
	int		 ended = 0;

	kennel_some_in(t, "suffixes", hand, PLACE_LOOK, place_look_cb, &s);
	qsort(s.at, s.n, sizeof(s.at[0]), place_compare);
	for (at = s.at; at < s.at + s.n; at++) {
		if (ended < PLACE_ENDS && !place_has_voted(t, at->session)) {
			kennel_put(t, "suffixes", at->session,
			    strlen(at->session), NULL, 0);
			if (kennel_get_in(t, "profiles", at->session,
			    strlen(at->session), NULL) != NULL)
				kennel_put(t, "profiles", at->session,
				    strlen(at->session), NULL, 0);
			ended++;
		}
		free(at->session);
	}
	return (ended);
}

void
pact_make_place(struct kennel_step *t, uint64_t *hand)
{
	if (kennel_count_in(t, "suffixes") < pact_limits()->sessions &&
	    kennel_room_left(t) >= PLACE_SLACK)
		return;
	for (int i = 0; i < PLACE_TRIES && place_try(t, hand) == 0; i++)
		;
}
