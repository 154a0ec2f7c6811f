/* Sections [uplink NAME]. */
#include <sys/stat.h>

#include <stdio.h>
#include <stdlib.h>

#include "common/bytes.h"
#include "gatewayd/uplinks.h"

#define UPLINKS_COST_MAX	1e6

void
uplinks_clear(struct uplinks *u)
{
	for (size_t i = 0; i < u->n; i++) {
		free(u->list[i].label);
		free(u->list[i].address);
		free(u->list[i].psk_file);
	}
	*u = (struct uplinks){ .n = 0 };
}

/* Put a copy of value in *at. */
static int
uplinks_put(char **at, const char *value, const char **why)
{
	free(*at);
	*why = "out of memory";
	return ((*at = slice_dup(slice_str(value))) == NULL ? -1 : 0);
}

int
uplinks_section(struct uplinks *u, const char *label, const char **why)
{
	for (size_t i = 0; i < u->n; i++)
		if (strcmp(u->list[i].label, label) == 0) {
			*why = "is there twice";
			return (-1);
		}
	*why = "is one too many: there may be 32 sections [uplink NAME]";
	if (u->n == UPLINKS_MAX)
		return (-1);
	u->list[u->n] = (struct uplinks_row){ .cost = 1 };
	if (uplinks_put(&u->list[u->n].label, label, why) == -1)
		return (-1);
	u->n++;
	return (0);
}

/* host:port, or unix:/path. */
static int
uplinks_set_address(struct uplinks_row *r, const char *value, const char **why)
{
	const char	*colon = strrchr(value, ':');

	*why = "must be host:port, [IPv6]:port or unix:/path";
	if (strpbrk(value, " \t") != NULL || colon == NULL || colon == value ||
	    (strncmp(value, "unix:/", 6) != 0 &&
	    (colon[1] == '\0' || strspn(colon + 1, "0123456789") !=
	    strlen(colon + 1) || strtoul(colon + 1, NULL, 10) - 1 >= 65535)))
		return (-1);
	return (uplinks_put(&r->address, value, why));
}

static int
uplinks_set_file(struct uplinks_row *r, const char *value, const char **why)
{
	struct stat	 st;
	char		*path = realpath(value, NULL);

	*why = "is not a file";
	if (path == NULL || stat(path, &st) == -1 || !S_ISREG(st.st_mode) ||
	    strpbrk(path, "\t\n") != NULL) {
		free(path);
		return (-1);
	}
	free(r->psk_file);
	r->psk_file = path;
	return (0);
}

static int
uplinks_set_cost(struct uplinks_row *r, const char *value, const char **why)
{
	char	*end;
	double	 v = strtod(value, &end);

	*why = "must be a number above 0, and at most 1000000";
	if (end == value || *end != '\0' || !(v > 0) || v > UPLINKS_COST_MAX)
		return (-1);
	r->cost = v;
	return (0);
}

static const struct {
	const char	*key;
	int		(*set)(struct uplinks_row *r, const char *value,
			    const char **why);
} uplinks_keys[] = {
	{ "address",	uplinks_set_address },
	{ "psk_file",	uplinks_set_file },
	{ "cost",	uplinks_set_cost },
};

int
uplinks_option(struct uplinks *u, const char *key, const char *value,
    const char **why)
{
	for (size_t i = 0; i < nitems(uplinks_keys); i++)
		if (strcmp(uplinks_keys[i].key, key) == 0)
			return (uplinks_keys[i].set(&u->list[u->n - 1], value,
			    why));
	*why = "unknown key; there are address, psk_file, cost";
	return (-1);
}

int
uplinks_check(const struct uplinks *u, const char *host, char *err, size_t size)
{
	for (size_t i = 0; i < u->n; i++)
		if (u->list[i].address == NULL || u->list[i].psk_file == NULL) {
			snprintf(err, size, "[uplink %s] needs the keys "
			    "\"address\" and \"psk_file\"", u->list[i].label);
			return (-1);
		}
	if (u->n > 0 && host == NULL) {
		snprintf(err, size, "[uplink %s] needs the key \"app.host\" in "
		    "[worker]: the name of this cluster among the others",
		    u->list[0].label);
		return (-1);
	}
	return (0);
}

void
uplinks_tell(const struct uplinks *u, struct buf *b)
{
	for (size_t i = 0; i < u->n; i++)
		buf_addf(b, "%s\t%.17g\t%s\t%s\n", u->list[i].label,
		    u->list[i].cost, u->list[i].psk_file, u->list[i].address);
}
