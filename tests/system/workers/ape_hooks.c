/* Hooks of kennel-ape.h: each call of one is a line, which "lines" gives back. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <kennel-ape.h>

#include "ape_later.h"

struct kept {			/* for a client */
	struct kennel_timer	*timer;
	char			 text[16];
};

static char	 lines[1000][160];
static size_t	 nlines;

static void
say(const char *what, const char *more)
{
	if (nlines < 1000)
		snprintf(lines[nlines++], sizeof(lines[0]), "%s %s", what,
		    more == NULL ? "" : more);
}

/* ---- controllers ---- */

static void
give_lines(struct ape_call *c)
{
	struct ape_value	*a = ape_array(c);

	for (size_t i = 0; i < nlines; i++)
		ape_add(c, a, ape_string(c, lines[i]));
	nlines = 0;
	ape_reply(c, a);
}

static void
embedded(struct ape_call *c)
{
	struct kept	*k = ape_data(ape_caller(c));

	ape_reply(c, ape_string(c, k->text));
}

static void
tell(struct ape_call *c)
{
	if (ape_others(c, "told", ape_argument(c)) == -1)
		ape_fail(c, "not told");
	else
		ape_reply(c, NULL);
}

/* All that a value can be. */
static void
types(struct ape_call *c)
{
	static const char *const	 names[] = {
		[APE_UNDEFINED] = "undefined", [APE_NULL] = "null",
		[APE_BOOLEAN] = "boolean", [APE_NUMBER] = "number",
		[APE_STRING] = "string", [APE_ARRAY] = "array",
		[APE_OBJECT] = "object", [APE_DATE] = "date",
		[APE_REGEXP] = "regexp", [APE_ERROR] = "error",
		[APE_SET] = "set", [APE_MAP] = "map", [APE_BINARY] = "binary",
		[APE_FILE] = "file"
	};
	const struct ape_value		*v;
	struct ape_value		*o = ape_object(c), *l = ape_array(c);

	for (v = ape_first(ape_argument(c)); v != NULL; v = ape_next(v))
		ape_put(c, o, ape_name(v, NULL)[0] == '\0' ? "?" :
		    (char[]){ ape_name(v, NULL)[0], '\0' },
		    ape_string(c, names[ape_type(v)]));
	ape_add(c, l, ape_date(c, 5));
	ape_add(c, l, ape_undefined(c));
	ape_add(c, l, ape_set(c));
	ape_put(c, o, "made", l);
	ape_put(c, o, "oops", ape_error(c, "RangeError", "far"));
	ape_reply(c, o);
}

#define FAILS(e, x)	(errno = 0, (x) == -1 && errno == (e))

/* What cannot be pushed, or asked for, fails with the errno that the header says. */
static void
nulls(struct ape_call *c)
{
	struct ape_client	*client = ape_caller(c);
	struct kennel_replica	*r = ape_replica(c);

	ape_reply(c, ape_boolean(c, FAILS(ENOTCONN, ape_everyone(NULL, "x", NULL)) &&
	    FAILS(EINVAL, ape_everyone(c, NULL, NULL)) &&
	    FAILS(ENOTCONN, ape_others(NULL, "x", NULL)) &&
	    FAILS(EINVAL, ape_others(c, NULL, NULL)) &&
	    FAILS(ENOTCONN, ape_push(NULL, "x", NULL)) &&
	    FAILS(EINVAL, ape_push(client, NULL, NULL)) &&
	    FAILS(ENOTCONN, ape_broadcast(NULL, "x", NULL, NULL)) &&
	    FAILS(EINVAL, ape_broadcast(r, NULL, NULL, NULL)) &&
	    FAILS(EINVAL, ape_broadcast(r, "x", NULL, "no id")) &&
	    FAILS(EINVAL, ape_to(r, "no id", "x", NULL, NULL, NULL)) &&
	    FAILS(ENOTCONN, ape_ids(NULL, NULL, NULL)) &&
	    FAILS(EINVAL, ape_ids(r, NULL, NULL))));
}

/* ---- hooks ---- */

static void
ready_cb(void *arg)
{
	struct ape_client	*client = arg;
	struct ape_call		*values =
	    ape_values(kennel_socket_replica(ape_socket(client)));

	kennel_timer_free(((struct kept *)ape_data(client))->timer);
	((struct kept *)ape_data(client))->timer = NULL;
	ape_push(client, "welcome", ape_string(values, "at last"));
	ape_reply(values, NULL);
	ape_ready(client);
}

static int
onconnect(struct ape_client *client)
{
	const char	*agent = kennel_socket_header(ape_socket(client),
			    "User-Agent");
	struct kept	*k;

	if (agent != NULL && strcmp(agent, "nobody") == 0)
		return (-1);
	say("connect", agent);
	k = calloc(1, sizeof(*k));
	strcpy(k->text, "embedded");
	ape_set_data(client, k);
	if (agent == NULL || strcmp(agent, "later") != 0)
		return (0);
	k->timer = kennel_timer_new(300, 0, ready_cb, client);
	return (1);
}

static void
onreceive(struct ape_call *c)
{
	say("receive", ape_endpoint(c));
}

static void
onreply(struct ape_call *c, const char *err, const struct ape_value *result)
{
	char	 text[100];

	snprintf(text, sizeof(text), "%s %s %d", ape_endpoint(c),
	    err == NULL ? "-" : err, (int)ape_type(result));
	say("reply", text);
}

static void
onsend(struct ape_client *client, const char *type,
    const struct ape_value *data)
{
	char	 text[100];

	(void)client;
	snprintf(text, sizeof(text), "%s %.0f", type, ape_to_number(data));
	say("send", text);
}

static void
onerror(struct ape_client *client, const char *what)
{
	(void)client;
	say("error", what);
}

static void
ondisconnect(struct ape_client *client, const struct kennel_close *why)
{
	struct kept	*k = ape_data(client);

	say("disconnect", why->label);
	kennel_timer_free(k->timer);
	free(k);
}

static int
launch(const struct kennel_app *app)
{
	static const struct ape_hooks	 hooks = {
		.onconnect = onconnect, .onreceive = onreceive,
		.onreply = onreply, .onsend = onsend, .onerror = onerror,
		.ondisconnect = ondisconnect
	};

	(void)app;
	if (ape_controller("Upper", types) != -1 ||
	    ape_controller("/x", types) != -1 || ape_controller("", types) != -1)
		return (-1);
	ape_set_hooks(&hooks);
	return (ape_controller("lines", give_lines) |
	    ape_controller("embedded", embedded) |
	    ape_controller("later", later) | ape_controller("tell", tell) |
	    ape_controller("types", types) | ape_controller("nulls", nulls));
}

int
main(int argc, char **argv)
{
	static const struct kennel_app app = {
		APE_APPLICATION, .name = "shop", .onlaunch = launch,
	};

	return (kennel_worker_main(argc, argv, &app, 1));
}
