/* Routes as a configuration file has them, a NUL, and a request's head. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/config.h"
#include "gatewayd/routes.h"

int	 LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int
section_cb(void *arg, const char *section, const char *label,
    const char **why)
{
	(void)section;
	return (routes_section(arg, label, why));
}

static int
option_cb(void *arg, const char *key, const char *value, const char **why)
{
	return (routes_option(arg, key, value, why));
}

static void
link_cb(const char *link, const char *about, void *arg)
{
	*(size_t *)arg += strlen(link) + strlen(about);
}

static void
find(const struct routes *routes, const char *head, size_t len)
{
	static struct http_head		 h;
	static struct route_match	 m;
	const char			*why = NULL;
	size_t				 scanned = 0;

	if (http_head_parse(&h, head, len, &scanned, &http_limits_default) !=
	    PARSE_DONE)
		return;
	if (routes_find(routes, &h, &m, &why) == -1) {
		if (why == NULL)
			abort();
		return;
	}
	if (m.group.len > GROUP_MAX || m.uid.len > UID_MAX ||
	    m.nheaders > CAPSULE_HEADERS_MAX || m.limit == 0 ||
	    strlen(m.app) > APP_MAX || (m.has_group && (m.group.data == NULL ||
	    m.group.len == 0 || m.uid.len == 0)))
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct config_option	 sections[] = {
		{ "route", "*", option_cb, NULL },
	};
	struct config_error	 config_err;
	const uint8_t		*nul = size == 0 ? NULL : memchr(data, 0, size);
	struct routes		*routes;
	char			 err[512];
	size_t			 n = 0;

	if (nul == NULL || (routes = routes_new()) == NULL)
		return (0);
	if (config_text("fuzz", (const char *)data, sections, nitems(sections),
	    section_cb, routes, &config_err) == 0 &&
	    routes_check(routes, err, sizeof(err)) == 0) {
		routes_links(routes, link_cb, &n);
		find(routes, (const char *)nul + 1,
		    size - (size_t)(nul + 1 - data));
	}
	routes_free(routes);
	return (0);
}
