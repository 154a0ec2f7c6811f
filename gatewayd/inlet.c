/* Where clients come in. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/bytes.h"
#include "common/config.h"
#include "common/networks.h"
#include "gatewayd/inlet.h"
#include "gatewayd/route.h"
#include "proto/policy.h"

#define INLET_LABEL_MAX	64
#define INLET_SETTINGS_MAX (7 << 10)	/* bytes that the application is told; it goes in one
					   option, which has room for more */

/* Free what an inlet has. */
static void
inlet_clear(struct inlet *in)
{
	buf_clear(&in->settings);
	if (in->route != NULL)
		route_free(in->route);
	free(in->label);
	free(in->text);
	free(in->trusted_text);
	networks_free(in->trusted);
	memset(in, 0, sizeof(*in));
}

void
inlets_clear(struct inlets *ins)
{
	while (ins->n > 0)
		inlet_clear(&ins->list[--ins->n]);
}

/* ---- its keys ---- */

/* The address of an inlet, which has none yet. */
static int
inlet_set_address(struct inlet *in, const char *value, const char **why)
{
	if (in->text != NULL) {
		*why = "has an address already; a section has one";
		return (-1);
	}
	if (sock_parse(value, &in->address, why) == -1)
		return (-1);
	if ((in->text = strdup(value)) == NULL) {
		*why = "out of memory";
		return (-1);
	}
	return (0);
}

/* Does each connection begin with a head of the PROXY protocol? */
static int
inlet_set_proxy_protocol(struct inlet *in, const char *value, const char **why)
{
	return (config_bool(value, &in->proxy_protocol, why));
}

/* The proxies that may send such a head; the last line counts. */
static int
inlet_set_proxy_trusted(struct inlet *in, const char *value, const char **why)
{
	struct networks	*n = networks_new(value);
	char		*text = strdup(value);

	if (n == NULL || text == NULL) {
		*why = "must be addresses and networks of proxies, or \"unix\": "
		    "127.0.0.1 10.0.0.0/8 fd00::/8 unix";
		networks_free(n);
		free(text);
		return (-1);
	}
	networks_free(in->trusted);
	free(in->trusted_text);
	in->trusted = n;
	in->trusted_text = text;
	return (0);
}

/* Is its group there though nobody is connected? */
static int
inlet_set_always(struct inlet *in, const char *value, const char **why)
{
	int	 on = 0;

	if (config_bool(value, &on, why) == -1)
		return (-1);
	in->always = on ? ALWAYS_YES : ALWAYS_NO;
	return (0);
}

static const struct {
	const char	*key;
	int		(*set)(struct inlet *, const char *, const char **);
} inlet_keys[] = {
	{ "address",		inlet_set_address },
	{ "always",		inlet_set_always },
	{ "proxy_protocol",	inlet_set_proxy_protocol },
	{ "proxy_trusted",	inlet_set_proxy_trusted },
};

/* ---- what raw clients are to have ---- */

/* A key of a route that one without a request has, too? */
static int
inlet_is_route_key(const char *key)
{
	static const char	*const keys[] = { "app", "group", "uid", "limit",
				    "limit_group", "place" };

	for (size_t i = 0; i < nitems(keys); i++)
		if (strcmp(keys[i], key) == 0)
			return (1);
	return (policy_key(slice_str(key)) != NULL);
}

/* Such a key. */
static int
inlet_set_route(struct inlet *in, const char *key, const char *value,
    const char **why)
{
	if (in->route == NULL && (in->route = route_new(in->label)) == NULL) {
		*why = "out of memory";
		return (-1);
	}
	return (route_set(in->route, key, value, why));
}

/* Keys that a listener has for its application, beside those of one's own. */
static const struct {
	const char	*key;
	int		 is_file;
} inlet_told[] = {
	{ "dialect",		0 },
	{ "psk_file",		1 },
};

/* May a listener have this key for its application?  Then whether it is a file. */
static int
inlet_is_setting(const char *key, int *is_file)
{
	*is_file = 0;
	for (size_t i = 0; i < nitems(inlet_told); i++)
		if (strcmp(inlet_told[i].key, key) == 0) {
			*is_file = inlet_told[i].is_file;
			return (1);
		}
	return (strncmp(key, "app.", 4) == 0 || strncmp(key, "x-", 2) == 0);
}

/* The path of a file from the root, malloc'd; or NULL with *why. */
static char *
inlet_file(const char *value, const char **why)
{
	struct stat	 st;
	char		*path = realpath(value, NULL);

	if (path != NULL && stat(path, &st) == 0 && S_ISREG(st.st_mode))
		return (path);
	free(path);
	*why = "is not a file";
	return (NULL);
}

/* A key that the application is told of; the last line counts. */
static int
inlet_set_setting(struct inlet *in, const char *key, const char *value,
    int is_file, const char **why)
{
	char	*path = NULL;

	if (is_file && (path = inlet_file(value, why)) == NULL)
		return (-1);
	in->settings.max = INLET_SETTINGS_MAX;
	buf_addf(&in->settings, "%s %s\n", key, is_file ? path : value);
	free(path);
	if (!in->settings.failed)
		return (0);
	*why = "is too much: all that a listener says to its application has "
	    "room in 7 KiB";
	return (-1);
}

/* Has a raw listener what it needs, and no other what it has not?  0, or -1 with a
 * sentence in err. */
static int
inlet_check_route(const struct inlet *in, char *err, size_t size)
{
	if (in->route == NULL && in->settings.len == 0 &&
	    in->always == ALWAYS_UNSAID)
		return (0);
	if (in->route == NULL || in->route->app[0] == '\0') {
		snprintf(err, size, "[listener %s] needs the key \"app\": the "
		    "application that serves it; without one it is for HTTP and "
		    "has only address, proxy_protocol, proxy_trusted",
		    in->label);
		return (-1);
	}
	if (!sources_headless(&in->route->group) ||
	    !sources_headless(&in->route->uid)) {
		snprintf(err, size, "[listener %s] has no request to take a "
		    "name from: group and uid are const:NAME, uuid or random20",
		    in->label);
		return (-1);
	}
	if (in->always == ALWAYS_YES &&
	    sources_constant(&in->route->group) == NULL) {
		snprintf(err, size, "[listener %s] always = yes needs a group "
		    "that has a name: group = const:NAME", in->label);
		return (-1);
	}
	return (0);
}

/* ---- the list ---- */

/* Another one; NULL with *why. */
static struct inlet *
inlets_add(struct inlets *ins, const char **why)
{
	if (ins->n == INLETS_MAX) {
		*why = "too many addresses to listen on";
		return (NULL);
	}
	return (&ins->list[ins->n++]);
}

int
inlets_listen(struct inlets *ins, const char *address, const char **why)
{
	struct inlet	*in;

	if ((in = inlets_add(ins, why)) == NULL)
		return (-1);
	if (inlet_set_address(in, address, why) == 0)
		return (0);
	inlet_clear(in);
	ins->n--;
	return (-1);
}

/* Is it a line `listen`? */
static int
inlet_is_line(const struct inlet *in)
{
	return (in->label == NULL);
}

/* Is it built in? */
static int
inlet_is_built_in(const struct inlet *in)
{
	return (in->built_in);
}

/* Forget those of which goes() says so. */
static void
inlets_drop(struct inlets *ins, int (*goes)(const struct inlet *))
{
	size_t	 n = 0;

	for (size_t i = 0; i < ins->n; i++)
		if (goes(&ins->list[i]))
			inlet_clear(&ins->list[i]);
		else
			ins->list[n++] = ins->list[i];
	memset(&ins->list[n], 0, (ins->n - n) * sizeof(ins->list[0]));
	ins->n = n;
}

void
inlets_unlisten(struct inlets *ins)
{
	inlets_drop(ins, inlet_is_line);
}

void
inlets_set_built_in(struct inlets *ins)
{
	for (size_t i = 0; i < ins->n; i++)
		ins->list[i].built_in = ins->list[i].label != NULL;
}

void
inlets_drop_built_in(struct inlets *ins)
{
	inlets_drop(ins, inlet_is_built_in);
}

int
inlets_section(struct inlets *ins, const char *label, const char **why)
{
	struct inlet	*in;
	size_t		 len = strlen(label);

	if (len == 0 || len > INLET_LABEL_MAX || strspn(label,
	    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-")
	    != len) {
		*why = "a listener has a name of 1 to 64 letters, digits, '.', "
		    "'_' or '-', such as [listener web]";
		return (-1);
	}
	if (inlets_find(ins, label, len) != NULL) {
		*why = "another listener has this name";
		return (-1);
	}
	if ((in = inlets_add(ins, why)) == NULL)
		return (-1);
	if ((in->label = strdup(label)) == NULL) {
		ins->n--;
		*why = "out of memory";
		return (-1);
	}
	return (0);
}

int
inlets_option(struct inlets *ins, const char *key, const char *value,
    const char **why)
{
	int	 is_file;

	for (size_t i = 0; i < nitems(inlet_keys); i++)
		if (strcmp(inlet_keys[i].key, key) == 0)
			return (inlet_keys[i].set(&ins->list[ins->n - 1], value,
			    why));
	if (inlet_is_route_key(key))
		return (inlet_set_route(&ins->list[ins->n - 1], key, value,
		    why));
	if (inlet_is_setting(key, &is_file))
		return (inlet_set_setting(&ins->list[ins->n - 1], key, value,
		    is_file, why));
	*why = "unknown key; keys for applications of your own begin with "
	    "\"app.\" or \"x-\"";
	return (-1);
}

int
inlets_check(const struct inlets *ins, char *err, size_t size)
{
	const struct inlet	*in;

	for (size_t i = 0; i < ins->n; i++) {
		in = &ins->list[i];
		if (in->text == NULL) {
			snprintf(err, size, "[listener %s] needs the key "
			    "\"address\"", in->label);
			return (-1);
		}
		if (in->proxy_protocol && in->trusted == NULL) {
			snprintf(err, size, "[listener %s] proxy_protocol needs "
			    "the key \"proxy_trusted\": the addresses of the "
			    "proxies that may say who a client is", in->label);
			return (-1);
		}
		if (in->label != NULL && inlet_check_route(in, err, size) == -1)
			return (-1);
	}
	return (0);
}

const struct inlet *
inlets_find(const struct inlets *ins, const char *label, size_t len)
{
	for (size_t i = 0; i < ins->n; i++)
		if (ins->list[i].label != NULL && slice_eq(slice_of(label, len),
		    slice_str(ins->list[i].label)))
			return (&ins->list[i]);
	return (NULL);
}

int
inlets_sections(const struct inlets *ins)
{
	for (size_t i = 0; i < ins->n; i++)
		if (ins->list[i].label != NULL && !ins->list[i].built_in)
			return (1);
	return (0);
}

int
inlet_same(const struct inlet *a, const struct inlet *b)
{
	return (strcmp(a->text, b->text) == 0 &&
	    a->proxy_protocol == b->proxy_protocol &&
	    slice_eq(slice_str(a->trusted_text), slice_str(b->trusted_text)));
}

void
inlet_tell(const struct inlet *in, struct buf *b)
{
	const struct policy_key	*k;
	char			 text[32];

	for (k = policy_keys; k->key != NULL; k++) {
		policy_write(text, sizeof(text), &in->route->allows, k);
		buf_addf(b, "%s %s\n", k->key, text);
	}
	buf_add(b, in->settings.data, in->settings.len);
}

/* All that raw connections are to be, in words; nothing for HTTP. */
static void
inlet_describe(const struct inlet *in, struct buf *b)
{
	if (in->route == NULL)
		return;
	buf_addf(b, "app=%s limit=%u place=%s always=%d", in->route->app,
	    (unsigned)in->route->limit, spot_name(in->route->place),
	    in->always);
	sources_describe(b, " group=\"", &in->route->group);
	sources_describe(b, " uid=\"", &in->route->uid);
	inlet_tell(in, b);
}

int
inlet_is_always(const struct inlet *in, int unsaid)
{
	return (in->route != NULL && sources_constant(&in->route->group) != NULL &&
	    (in->always == ALWAYS_YES || (in->always == ALWAYS_UNSAID && unsaid)));
}

int
inlet_same_route(const struct inlet *a, const struct inlet *b)
{
	struct buf	 x = { 0 }, y = { 0 };
	int		 same;

	inlet_describe(a, &x);
	inlet_describe(b, &y);
	same = !x.failed && !y.failed && slice_eq(slice_of(x.data, x.len),
	    slice_of(y.data, y.len));
	buf_clear(&x);
	buf_clear(&y);
	return (same);
}

void
inlet_swap_route(struct inlet *in, struct inlet *fresh)
{
	struct route	*route = in->route;
	struct buf	 settings = in->settings;

	in->route = fresh->route;
	in->always = fresh->always;
	in->settings = fresh->settings;
	fresh->route = route;
	fresh->settings = settings;
}
