/* What all shards have counted. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "gatewayd/ledger.h"
#include "gatewayd/pulse.h"
#include "proto/counters.h"

/* No honest cell gets there: nanoseconds of 36 years.  Nor does a sum get to twice
 * the other; it stays there. */
#define LEDGER_CELL_MAX	(UINT64_C(1) << 60)
#define LEDGER_SUM_MAX	(UINT64_C(1) << 62)

struct ledger_slot {
	uint64_t	 incarnation;	/* 0: nobody counts here */
	unsigned	 apps[COUNTERS_APPS];	/* of the ledger's; LEDGER_APPS: none */
	struct counters	 base, seen;	/* counted before us; as read last */
};

struct ledger {
	struct ledger_slot *slots[SLOTS_MAX];	/* NULL: never used */
	uint64_t	 dead[COUNTERS_MAX];
	uint8_t		 is_gauge[COUNTERS_MAX];
	size_t		 napps;
	struct {
		char		 name[APP_MAX + 1];
		uint64_t	 dead[COUNTERS_APP_CELLS];
	}		 apps[LEDGER_APPS];
};

struct ledger *
ledger_new(void)
{
	struct ledger	*l;

	if ((l = calloc(1, sizeof(*l))) == NULL)
		return (NULL);
	for (size_t i = 0; i < counter_nrows; i++)
		if (counter_rows[i].type == METRIC_GAUGE)
			memset(&l->is_gauge[counter_rows[i].at], 1,
			    counter_rows[i].n);
	l->is_gauge[COUNTER_BUS_LAG] = 1;	/* of kennelctl, no metric */
	return (l);
}

void
ledger_free(struct ledger *l)
{
	if (l == NULL)
		return;
	for (size_t i = 0; i < SLOTS_MAX; i++)
		free(l->slots[i]);
	free(l);
}

/* ---- applications ---- */

/* A name as a page has it, into text: 0, or -1 if it is none. */
static int
ledger_name(char text[APP_MAX + 1], const char name[APP_MAX])
{
	size_t	 n = strnlen(name, APP_MAX);

	for (size_t i = 0; i < n; i++)
		if (name[i] <= ' ' || name[i] > '~' || name[i] == '"' ||
		    name[i] == '\\')
			return (-1);
	memcpy(text, name, n);
	text[n] = '\0';
	return (n == 0 ? -1 : 0);
}

/* The ledger's number of an application: that of "other" when there are too many. */
static unsigned
ledger_app_find(struct ledger *l, const char *name)
{
	size_t	 i = 0;

	while (i < l->napps && strcmp(l->apps[i].name, name) != 0)
		i++;
	if (i < l->napps)
		return ((unsigned)i);
	if (l->napps == LEDGER_APPS)
		return (LEDGER_APPS - 1);
	memcpy(l->apps[i].name, i == LEDGER_APPS - 1 ? "other" : name,
	    i == LEDGER_APPS - 1 ? sizeof("other") : strlen(name) + 1);
	l->napps++;
	return ((unsigned)i);
}

/* ---- one slot ---- */

/* A cell that never falls: v, if that is possible. */
static void
ledger_raise(uint64_t *seen, uint64_t v)
{
	if (v > *seen && v < LEDGER_CELL_MAX)
		*seen = v;
}

static void
ledger_read(struct ledger *l, struct ledger_slot *s, const struct counters *c)
{
	for (size_t i = 0; i < COUNTERS_MAX; i++) {
		if (l->is_gauge[i])
			s->seen.cells[i] = c->cells[i];
		else
			ledger_raise(&s->seen.cells[i], c->cells[i]);
	}
	for (size_t a = 0; a < COUNTERS_APPS; a++)
		for (size_t i = 0; i < COUNTERS_APP_CELLS; i++)
			ledger_raise(&s->seen.apps[a].cells[i],
			    c->apps[a].cells[i]);
}

static uint64_t
ledger_plus(uint64_t a, uint64_t b)
{
	return (a + b < LEDGER_SUM_MAX ? a + b : LEDGER_SUM_MAX);
}

/* Whoever was in this slot is dead: what it counted stays. */
static void
ledger_bury(struct ledger *l, struct ledger_slot *s)
{
	unsigned	 app;

	for (size_t i = 0; s->incarnation != 0 && i < COUNTERS_MAX; i++)
		l->dead[i] = ledger_plus(l->dead[i], s->seen.cells[i] -
		    s->base.cells[i]);
	for (size_t a = 0; s->incarnation != 0 && a < COUNTERS_APPS; a++) {
		if ((app = s->apps[a]) == LEDGER_APPS)
			continue;
		for (size_t i = 0; i < COUNTERS_APP_CELLS; i++)
			l->apps[app].dead[i] = ledger_plus(
			    l->apps[app].dead[i], s->seen.apps[a].cells[i] -
			    s->base.apps[a].cells[i]);
	}
	memset(s, 0, sizeof(*s));
}

void
ledger_begin(struct ledger *l, uint32_t slot, const struct pulse *p, int ours)
{
	char			 name[APP_MAX + 1];
	struct ledger_slot	*s = l->slots[slot];
	struct counters		 c;

	if (s == NULL && (s = l->slots[slot] = calloc(1, sizeof(*s))) == NULL)
		return;			/* it is not counted */
	if (s->incarnation == p->incarnation || pulse_counters(p, &c) == -1)
		return;
	ledger_bury(l, s);
	s->incarnation = p->incarnation;
	for (size_t i = 0; i < COUNTERS_APPS; i++)
		s->apps[i] = ledger_name(name, c.apps[i].name) == -1 ?
		    LEDGER_APPS : ledger_app_find(l, name);
	if (ours)
		return;
	ledger_read(l, s, &c);
	s->base = s->seen;
}

void
ledger_look(struct ledger *l, uint32_t slot, const struct pulse *p)
{
	struct ledger_slot	*s = l->slots[slot];
	struct counters		 c;

	if (s != NULL && s->incarnation != 0 &&
	    s->incarnation == p->incarnation && pulse_counters(p, &c) == 0)
		ledger_read(l, s, &c);
}

void
ledger_end(struct ledger *l, uint32_t slot, const struct pulse *p)
{
	ledger_look(l, slot, p);
	if (l->slots[slot] != NULL)
		ledger_bury(l, l->slots[slot]);
}

/* ---- sums ---- */

uint64_t
ledger_sum(const struct ledger *l, unsigned cell)
{
	const struct ledger_slot	*s;
	uint64_t			 sum = l->dead[cell];

	for (size_t i = 0; i < SLOTS_MAX; i++)
		if ((s = l->slots[i]) != NULL)
			sum = ledger_plus(sum, s->seen.cells[cell] -
			    s->base.cells[cell]);
	return (sum);
}

uint64_t
ledger_gauge(const struct ledger *l, uint32_t slot, unsigned cell)
{
	return (l->slots[slot] == NULL ? 0 : l->slots[slot]->seen.cells[cell]);
}

size_t
ledger_napps(const struct ledger *l)
{
	return (l->napps);
}

const char *
ledger_app(const struct ledger *l, size_t i)
{
	return (l->apps[i].name);
}

uint64_t
ledger_app_sum(const struct ledger *l, size_t app, unsigned cell)
{
	const struct ledger_slot	*s;
	uint64_t			 sum = l->apps[app].dead[cell];

	for (size_t i = 0; i < SLOTS_MAX; i++) {
		if ((s = l->slots[i]) == NULL || s->incarnation == 0)
			continue;
		for (size_t a = 0; a < COUNTERS_APPS; a++)
			if (s->apps[a] == app)
				sum = ledger_plus(sum,
				    s->seen.apps[a].cells[cell] -
				    s->base.apps[a].cells[cell]);
	}
	return (sum);
}
