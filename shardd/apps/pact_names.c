/* pact: limits, names in keys, and what is read by them. */
#include <stdlib.h>
#include <string.h>

#include "shardd/apps/js.h"
#include "shardd/apps/pact_names.h"

/* ---- limits ---- */

const struct pact_limits *
pact_limits(void)
{
	static struct pact_limits	 l;
	static const struct {
		const char	*key;
		size_t		 offset, value;
	} rows[] = {
#define ROW(f, n)	{ "pact_" #f, offsetof(struct pact_limits, f), n }
		ROW(counters, 1000), ROW(polls, 100), ROW(answers, 100),
		ROW(sessions, 100000), ROW(properties, 16384), ROW(name, 256),
		ROW(config, 65536), ROW(subscriptions, 100), ROW(relays, 100),
		ROW(rooms, 10000), ROW(page, 262144),
#undef ROW
	};
	const char	*set;

	if (l.rooms != 0)
		return (&l);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		set = kennel_option(rows[i].key);
		*(size_t *)(void *)((char *)&l + rows[i].offset) =
		    set == NULL ? rows[i].value : strtoul(set, NULL, 10);
	}
	return (&l);
}

/* ---- names ---- */

const struct pact_kind	 pact_poll = {
	"poll", "polls", "votes/", "tally/"
};
const struct pact_kind	 pact_ephemeral = {
	"ephemeralPoll", "~polls", "~votes/", "~tally/"
};

char *
pact_name(const char *s, size_t len)
{
	char	*dst = malloc(3 * len + 1), *p = dst;

	if (dst == NULL)
		return (NULL);
	for (size_t i = 0; i < len; i++)
		if (s[i] == '%' || s[i] == '\0')
			p += sprintf(p, "%%%02X", s[i]);
		else
			*p++ = s[i];
	*p = '\0';
	return (dst);
}

size_t
pact_unname(char *s)
{
	char	*p = s, *start = s;

	for (; *s != '\0'; s++)
		if (strncmp(s, "%25", 3) == 0)
			*p++ = '%', s += 2;
		else if (strncmp(s, "%00", 3) == 0)
			*p++ = '\0', s += 2;
		else
			*p++ = *s;
	*p = '\0';
	return ((size_t)(p - start));
}

void
pact_write_name(FILE *f, const char *s, size_t len)
{
	char	*copy;

	if (memchr(s, '%', len) == NULL) {
		js_write_string(f, s, len);
		return;
	}
	if ((copy = strndup(s, len)) == NULL)
		return;
	len = pact_unname(copy);
	js_write_string(f, copy, len);
	free(copy);
}

void
pact_replica_hex(char dst[PACT_REPLICA + 1], uint64_t id)
{
	snprintf(dst, PACT_REPLICA + 1, "%016llx", (unsigned long long)id);
}

char *
pact_map(const char *beginning, const char *poll, size_t len)
{
	char	*map;

	return (asprintf(&map, "%s%.*s", beginning, (int)len, poll) == -1 ?
	    NULL : map);
}

double
pact_number(const struct kennel_replica *r, const char *map, const char *key)
{
	const char	*v = kennel_get(r, map, key, strlen(key), NULL);

	return (v == NULL ? 0 : strtod(v, NULL));
}
