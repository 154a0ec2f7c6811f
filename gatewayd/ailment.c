/* What speaks against the new program of an upgrade. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/bytes.h"
#include "common/clock.h"
#include "gatewayd/ailment.h"
#include "gatewayd/journey.h"
#include "gatewayd/placement.h"
#include "gatewayd/roster.h"
#include "gatewayd/shard.h"
#include "gatewayd/upgrade_in.h"

#define AILMENT_ERRORS		10	/* ends with an error, before it matters */
#define AILMENT_ERRORS_TIMES	3	/* as often as with the old ones */
#define AILMENT_START_MS	(SHARD_START_MS - 500)	/* not ready: killed for that */
#define AILMENT_LEFT		10	/* that did not move, before it matters; */
#define AILMENT_LEFT_PART	10	/* and at least that part */

/* How a process has ended, of "signal=6" or "status=1". */
static const char *
ailment_end(const char *ended, char *dst, size_t size)
{
	uint64_t	 n;

	if (strncmp(ended, "signal=", 7) == 0 &&
	    slice_u64(slice_str(ended + 7), 64, &n) == 0)
		snprintf(dst, size, "signal %" PRIu64 ", %s", n,
		    strsignal((int)n));
	else if (strcmp(ended, "status=127") == 0)
		snprintf(dst, size, "exit status 127: is a library or an "
		    "interpreter missing?");
	else if (strncmp(ended, "status=", 7) == 0)
		snprintf(dst, size, "exit status %s", ended + 7);
	else
		snprintf(dst, size, "how is not known");
	return (dst);
}

int
ailment_start(const struct upgrade *u, const struct pair *p, char *why, size_t size)
{
	char	 how[96];

	if (p->new->incarnation == p->is && clock_ms() <= u->until)
		return (0);
	if (clock_ms() - u->asked >= AILMENT_START_MS)
		snprintf(why, size, "the new program was not ready within %d s: "
		    "what it said stands in gatewayd's log",
		    SHARD_START_MS / 1000);
	else
		snprintf(why, size, "the new program did not get ready (%s): "
		    "what it said stands in gatewayd's log",
		    ailment_end(p->new->ended, how, sizeof(how)));
	return (1);
}

int
ailment_death(const struct upgrade *u, const struct shard *s, char *why, size_t size)
{
	const struct pair	*p;
	char			 how[96];

	for (size_t i = 0; i < u->npairs; i++) {
		p = &u->pairs[i];
		if (p->new != s || p->is != s->incarnation)
			continue;
		if (u->phase == UPGRADE_STARTING && i == u->at)
			return (0);	/* it has not been ready yet */
		snprintf(why, size, "a new shard, slot %" PRIu32 ", died (%s)",
		    s->slot, ailment_end(s->ended, how, sizeof(how)));
		return (1);
	}
	return (0);
}

/* Ends with an error, and connections, of the old shards or the new ones. */
static void
ailment_count(const struct upgrade *u, int new, uint64_t *errors, uint64_t *taken)
{
	const struct shard	*s;

	*errors = *taken = 0;
	for (size_t i = 0; i < roster_nslots(u->roster); i++) {
		s = roster_slot(u->roster, i);
		if (s->site == NULL || (s->generation == u->new) != new)
			continue;
		*errors += s->errors;
		*taken += s->site->taken;
	}
}

int
ailment_errors(const struct upgrade *u, char *why, size_t size)
{
	uint64_t	 errors, taken, before, had;

	ailment_count(u, 1, &errors, &taken);
	ailment_count(u, 0, &before, &had);
	if (errors < AILMENT_ERRORS || taken == 0 || (had > 0 &&
	    (double)errors / (double)taken <= AILMENT_ERRORS_TIMES *
	    (double)before / (double)had))
		return (0);
	snprintf(why, size, "%" PRIu64 " of %" PRIu64 " connections of the new "
	    "shards ended with an error, of the old ones %" PRIu64 " of %" PRIu64,
	    errors, taken, before, had);
	return (1);
}

/* How many of s, of those that are not plain HTTP and not known to stay. */
static size_t
ailment_left(const struct upgrade *u, const struct shard *s)
{
	struct place	*place;
	size_t		 at = 0, n = 0;

	while ((place = placement_next(u->placement, &at)) != NULL)
		n += place_site(place) == s->site && !place->http &&
		    !place->stays;
	return (n);
}

int
ailment_speech(const struct upgrade *u, const struct pair *p, char *why, size_t size)
{
	if (!journey_may_leave(p->old) || ailment_left(u, p->old) == 0)
		return (0);
	snprintf(why, size, "the new program can take over no connection of slot %"
	    PRIu32 ": its Kennel is of a release that cannot", p->old->slot);
	return (1);
}

int
ailment_stuck(const struct upgrade *u, const struct pair *p, char *why, size_t size)
{
	size_t	 left = u->last.refused;

	if (left > 0 && u->last.moved == 0)
		goto stuck;		/* nobody is wanted */
	/* They could, and would be closed when the old shard leaves. */
	if (u->last.awaits > 0) {
		left += u->last.awaits;
		goto stuck;
	}
	/* A part was to move: that the others are still there is as it should be. */
	if (u->percent >= 100)
		left += ailment_left(u, p->old);
	if (left <= AILMENT_LEFT || left <= u->last.total / AILMENT_LEFT_PART)
		return (0);
stuck:
	snprintf(why, size, "%zu of %zu connections of slot %" PRIu32
	    " could not be moved%s%s", left, u->last.total, p->old->slot,
	    u->last.why[0] == '\0' ? "" : ": ", u->last.why);
	return (1);
}
