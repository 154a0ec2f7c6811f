/*
 * Clients of api-ape that have something of the program's, which goes along when they
 * move: how many calls each has made.  With the hook onsend all pushes go by words.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <kennel-ape.h>

#include "ape_later.h"

struct kept {			/* for a client */
	unsigned	 calls;
};

static size_t	 sent;		/* pushes of this process */

/* ---- controllers ---- */

static void
echo(struct ape_call *c)
{
	ape_reply(c, ape_argument(c));
}

static void
message(struct ape_call *c)
{
	ape_others(c, "message", ape_argument(c));
	ape_reply(c, ape_argument(c));
}

static void
reply_sent(struct ape_call *c, int yes)
{
	struct ape_value	*o = ape_object(c);

	ape_put(c, o, "sent", ape_boolean(c, yes));
	ape_reply(c, o);
}

static void
everyone(struct ape_call *c)
{
	reply_sent(c, ape_everyone(c, "everyone", ape_argument(c)) == 0);
}

/* Who has called, how many calls that were, and by whom they are served. */
static void
whoami(struct ape_call *c)
{
	struct ape_value	*o = ape_object(c);
	struct kept		*k = ape_data(ape_caller(c));

	ape_put(c, o, "clientId", ape_string(c, ape_client_id(c)));
	ape_put(c, o, "calls", ape_number(c, k->calls));
	ape_put(c, o, "by", ape_string(c, kennel_address()));
	ape_put(c, o, "sent", ape_number(c, (double)sent));
	ape_reply(c, o);
}

static void
list_cb(const char *const *ids, size_t n, size_t missing, void *arg)
{
	struct ape_call		*c = arg;
	struct ape_value	*a = ape_array(c);

	(void)missing;
	for (size_t i = 0; i < n; i++)
		ape_add(c, a, ape_string(c, ids[i]));
	ape_reply(c, a);
}

static void
list(struct ape_call *c)
{
	if (ape_ids(ape_replica(c), list_cb, c) == -1)
		ape_fail(c, "no list");
}

static void
sendto_cb(int reached, void *arg)
{
	reply_sent(arg, reached);
}

static void
sendto(struct ape_call *c)
{
	const struct ape_value	*a = ape_argument(c);

	if (ape_to(ape_replica(c), ape_text(ape_member(a, "to"), NULL),
	    ape_text(ape_member(a, "type"), NULL), ape_member(a, "data"),
	    sendto_cb, c) == -1)
		reply_sent(c, 0);
}

/* ---- hooks ---- */

static int
onconnect(struct ape_client *client)
{
	ape_set_data(client, calloc(1, sizeof(struct kept)));
	return (0);
}

static void
onreceive(struct ape_call *c)
{
	struct kept	*k = ape_data(ape_caller(c));

	k->calls++;
}

static void
onsend(struct ape_client *client, const char *type,
    const struct ape_value *data)
{
	(void)client, (void)type, (void)data;
	sent++;
}

static void
ondisconnect(struct ape_client *client, const struct kennel_close *why)
{
	(void)why;
	free(ape_data(client));
}

static int
freeze(struct ape_client *client, struct kennel_blob *b)
{
	return (kennel_blob_add(b, ape_data(client), sizeof(struct kept)));
}

static int
thaw(struct ape_client *client, const char *data, size_t len, int how)
{
	const char	*refuse = getenv("KENNEL_REFUSE");

	(void)how;
	if (refuse != NULL && access(refuse, F_OK) == 0) {
		errno = ENOMEM;		/* not now */
		return (-1);
	}
	if (len != sizeof(struct kept) || onconnect(client) == -1)
		return (-1);
	memcpy(ape_data(client), data, len);
	return (0);
}

static void
onmoved(struct ape_client *client, int how)
{
	(void)how;
	free(ape_data(client));
}

/* ---- the process ---- */

static int
launch(const struct kennel_app *app)
{
	static const struct ape_hooks	 moving = {
		.onconnect = onconnect, .onreceive = onreceive,
		.onsend = onsend, .ondisconnect = ondisconnect, .moves = 2,
		.freeze = freeze, .thaw = thaw, .onmoved = onmoved
	}, staying = {
		.onconnect = onconnect, .onreceive = onreceive,
		.onsend = onsend, .ondisconnect = ondisconnect
	};

	(void)app;
	ape_set_hooks(getenv("KENNEL_STAY") != NULL ? &staying : &moving);
	return (ape_controller("echo", echo) |
	    ape_controller("message", message) |
	    ape_controller("everyone", everyone) |
	    ape_controller("whoami", whoami) | ape_controller("later", later) |
	    ape_controller("users/list", list) |
	    ape_controller("sendto", sendto));
}

int
main(int argc, char **argv)
{
	static const struct kennel_app	 app = {
		APE_APPLICATION, .onlaunch = launch, .name = "ape",
	};

	return (kennel_worker_main(argc, argv, &app, 1));
}
