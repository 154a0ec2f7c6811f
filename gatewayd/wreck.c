/* What a dead shard leaves. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/bytes.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/written.h"
#include "gatewayd/member.h"
#include "gatewayd/places.h"
#include "gatewayd/shard.h"
#include "gatewayd/wreck.h"

static const char *const	 wreck_names[WRECK_NENDS] = {
	[WRECK_GOES_ON]		= "survived",
	[WRECK_REQUEST]		= "requests",
	[WRECK_UNCOVERED]	= "uncovered",
	[WRECK_UNKNOWN]		= "unknown",
	[WRECK_AMID_IN]		= "amid-in",
	[WRECK_AMID_OUT]	= "amid-out",
	[WRECK_GOING]		= "moving",
	[WRECK_POISON]		= "poison",
	[WRECK_REFUSED]		= "refused",
	[WRECK_LATE]		= "late",
};

struct wreck *
wreck_new(const struct shard *s)
{
	struct wreck	*w;

	if ((w = calloc(1, sizeof(*w))) == NULL)
		return (NULL);
	list_init(&w->at);
	w->slot = s->slot;
	w->pid = s->pid;
	w->heard = s->heard;
	w->began = clock_ms();
	if (s->pulse.fd != -1 && (w->look = cover_look_new(s->pulse.fd,
	    s->pulse.incarnation)) == NULL)
		log_info("shard slot=%" PRIu32 " says nothing of its "
		    "connections that can be read: %s", s->slot,
		    strerror(errno));
	return (w);
}

void
wreck_free(struct wreck *w)
{
	list_remove(&w->at);
	wreck_read(w);
	free(w);
}

void
wreck_read(struct wreck *w)
{
	cover_look_free(w->look);
	w->look = NULL;
}

/* Is what the page says of a connection what we know of it? */
static int
wreck_fits(const struct place *place, const struct capsule *c)
{
	const struct group	*g;

	if (c->protocol != CAPSULE_WS && c->protocol != CAPSULE_RAW &&
	    c->protocol != CAPSULE_STREAM)
		return (0);
	if (place->replica == NULL)
		return (c->group.len == 0);
	g = place->replica->group;
	return (place->member != NULL && slice_is(c->app, g->app) &&
	    slice_eq(c->group, slice_of(g->name, g->name_len)) &&
	    slice_eq(c->uid, slice_of(place->member->uid,
	    place->member->uid_len)));
}

/*
 * The shard died while it wrote to the client of this place: how far has that come?  The
 * kernel knows, and of what the page says only that number goes by it: a page that lies
 * could have said as well that nothing was written.
 */
static enum cover_rest
wreck_written(const struct place *place, const struct covered *c)
{
	uint32_t	 written = 0;
	int		 known = written_total(place->fd, &written) == 0;

	return (covered_written(c, known, written));
}

enum wreck_end
wreck_judge(struct wreck *w, const struct place *place, struct covered *c)
{
	static const enum wreck_end	 ends[] = {
		[COVER_AT_REST]	= WRECK_GOES_ON,
		[COVER_AT_WORK]	= WRECK_GOES_ON,
		[COVER_AMID_IN]	= WRECK_AMID_IN,
		[COVER_AMID_OUT] = WRECK_AMID_OUT,
		[COVER_GOING]	= WRECK_GOES_ON,
	};
	int				 writing;

	memset(c, 0, sizeof(*c));
	if (place->http)
		return (WRECK_REQUEST);
	if (place->fd == -1)
		return (WRECK_UNCOVERED);
	if (w->look == NULL || cover_look_find(w->look, place->id, c) == -1 ||
	    !wreck_fits(place, &c->cap)) {
		c->cap.protocol = 0;
		return (WRECK_UNKNOWN);
	}
	if ((writing = c->rest == COVER_WRITING))
		c->rest = wreck_written(place, c);
	if (c->rest == COVER_GOING && w->heard != 1)
		return (WRECK_GOING);	/* there, for all that we know */
	if (c->rest == COVER_AT_WORK && ++c->cap.strikes >= WRECK_STRIKES)
		return (WRECK_POISON);
	c->cap.hops += c->cap.hops < UINT8_MAX;
	w->whole += writing && ends[c->rest] == WRECK_GOES_ON;
	return (ends[c->rest]);
}

size_t
wreck_lost(const struct wreck *w)
{
	size_t	 n = 0;

	for (size_t i = WRECK_GOES_ON + 1; i < WRECK_NENDS; i++)
		n += w->ends[i];
	return (n);
}

void
wreck_say(const struct wreck *w)
{
	struct buf	 why = { .max = 512 };
	size_t		 lost = wreck_lost(w);

	if (lost + w->ends[WRECK_GOES_ON] == 0)
		return;
	if (w->whole > 0)
		(void)buf_addf(&why, " whole=%zu", w->whole);
	for (size_t i = WRECK_GOES_ON + 1; i < WRECK_NENDS; i++)
		if (w->ends[i] > 0)
			(void)buf_addf(&why, " %s=%zu", wreck_names[i],
			    w->ends[i]);
	if (w->ends[WRECK_REFUSED] > 0 && w->refused[0] != '\0')
		(void)buf_addf(&why, " (%s)", w->refused);
	(void)buf_add(&why, "", 1);
	log_info("shard slot=%" PRIu32 " pid=%d its connections survived=%zu "
	    "lost=%zu ms=%" PRIu64 "%s", w->slot, (int)w->pid,
	    w->ends[WRECK_GOES_ON], lost, clock_ms() - w->began,
	    why.failed ? "" : why.data);
	buf_clear(&why);
}
