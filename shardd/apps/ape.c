/* ape: functions that browsers call, as the demo page and its visitors do. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

#include "shardd/apps/apps.h"
#include "shardd/kennel-ape.h"

#define APE_DOWNLOAD_MAX	(16 << 20)	/* bytes */

/* ---- calls ---- */

/* What was given. */
static void
ape_echo(struct ape_call *c)
{
	ape_reply(c, ape_argument(c));
}

/* To all others what was given; back, too. */
static void
ape_message(struct ape_call *c)
{
	ape_others(c, "message", ape_argument(c));
	ape_reply(c, ape_argument(c));
}

/* {"sent": whether} */
static void
ape_reply_sent(struct ape_call *c, int sent)
{
	struct ape_value	*o = ape_object(c);

	ape_put(c, o, "sent", ape_boolean(c, sent));
	ape_reply(c, o);
}

/* To all, the caller included. */
static void
ape_to_everyone(struct ape_call *c)
{
	ape_reply_sent(c, ape_everyone(c, "everyone", ape_argument(c)) == 0);
}

/* Who has called. */
static void
ape_whoami(struct ape_call *c)
{
	struct ape_value	*o = ape_object(c);

	ape_put(c, o, "clientId", ape_string(c, ape_client_id(c)));
	ape_put(c, o, "sessionId", ape_string(c, ape_session_id(c)));
	ape_put(c, o, "agent", ape_agent(c));
	ape_reply(c, o);
}

/* It fails with the text that was given. */
static void
ape_fails(struct ape_call *c)
{
	const char	*text = ape_text(ape_argument(c), NULL);

	ape_fail(c, text == NULL ? "fail: give a text" : text);
}

/* Nothing. */
static void
ape_silent(struct ape_call *c)
{
	ape_reply(c, NULL);
}

/* The ids have come. */
static void
ape_list_cb(const char *const *ids, size_t n, size_t missing, void *arg)
{
	struct ape_call		*c = arg;
	struct ape_value	*a = ape_array(c);

	(void)missing;
	for (size_t i = 0; i < n; i++)
		ape_add(c, a, ape_string(c, ids[i]));
	ape_reply(c, a);
}

/* Who is connected. */
static void
ape_list(struct ape_call *c)
{
	if (ape_ids(ape_replica(c), ape_list_cb, c) == -1)
		ape_fail(c, "the list is not to be had now");
}

/* One has got it, or nobody. */
static void
ape_sendto_cb(int reached, void *arg)
{
	ape_reply_sent(arg, reached);
}

/* {to, type, data}: a push to that client. */
static void
ape_sendto(struct ape_call *c)
{
	const struct ape_value	*a = ape_argument(c);
	const char		*to = ape_text(ape_member(a, "to"), NULL);
	const char		*type = ape_text(ape_member(a, "type"), NULL);

	if (to == NULL || type == NULL)
		ape_fail(c, "sendto: give {to, type, data}");
	else if (ape_to(ape_replica(c), to, type, ape_member(a, "data"),
	    ape_sendto_cb, c) == -1)
		ape_reply_sent(c, 0);
}

/* {file, name}: what came. */
static void
ape_upload(struct ape_call *c)
{
	const struct ape_value	*a = ape_argument(c);
	struct ape_value	*o = ape_object(c);
	unsigned char		 sha1[EVP_MAX_MD_SIZE];
	char			 hex[2 * EVP_MAX_MD_SIZE + 1];
	const char		*data;
	unsigned		 n = 0;
	size_t			 len;

	if ((data = ape_bytes(ape_member(a, "file"), &len)) == NULL) {
		ape_fail(c, "upload: give {file, name}");
		return;
	}
	EVP_Digest(data, len, sha1, &n, EVP_sha1(), NULL);
	for (unsigned i = 0; i < n; i++)
		snprintf(hex + 2 * i, 3, "%02x", sha1[i]);
	ape_put(c, o, "size", ape_number(c, (double)len));
	ape_put(c, o, "sha1", ape_string(c, hex));
	ape_put(c, o, "name", ape_member(a, "name"));
	ape_reply(c, o);
}

/* {size}: so many bytes. */
static void
ape_download(struct ape_call *c)
{
	double			 size = ape_to_number(ape_member(
				    ape_argument(c), "size"));
	struct ape_value	*o = ape_object(c);
	char			*data;

	if (!(size >= 0 && size <= APE_DOWNLOAD_MAX) ||
	    (data = malloc((size_t)size + 1)) == NULL) {
		ape_fail(c, "download: give {size}, at most 16777216");
		return;
	}
	for (size_t i = 0; i < (size_t)size; i++)
		data[i] = (char)(7 * i + 3);
	ape_put(c, o, "bytes", ape_binary(c, data, (size_t)size));
	ape_put(c, o, "size", ape_number(c, (double)(size_t)size));
	free(data);
	ape_reply(c, o);
}

static const struct {
	const char	*name;
	ape_controller_fn *fn;
} ape_controllers[] = {
	{ "echo",	ape_echo },
	{ "message",	ape_message },
	{ "everyone",	ape_to_everyone },
	{ "whoami",	ape_whoami },
	{ "fail",	ape_fails },
	{ "silent",	ape_silent },
	{ "users/list",	ape_list },
	{ "sendto",	ape_sendto },
	{ "upload",	ape_upload },
	{ "download",	ape_download },
};

/* The process begins. */
static int
ape_launch(const struct kennel_app *app)
{
	(void)app;
	for (size_t i = 0; i < sizeof(ape_controllers) /
	    sizeof(ape_controllers[0]); i++)
		if (ape_controller(ape_controllers[i].name,
		    ape_controllers[i].fn) == -1)
			return (-1);
	return (0);
}

/* The board, and what is api-ape's. */
static void
ape_demo_receive(struct kennel_request *q)
{
	if (strcmp(kennel_request_path(q), "/ape") != 0)
		ape_receive(q);
	else if (app_options(q, "GET, HEAD"))
		return;
	else if (strcmp(kennel_request_method(q), "GET") == 0 ||
	    strcmp(kennel_request_method(q), "HEAD") == 0)
		kennel_respond_page(q, "ape.html");
	else {
		kennel_header(q, "Allow", "GET, HEAD");
		kennel_respond(q, 405, "text/plain", "Method not allowed\n", 19);
	}
}

const struct kennel_app ape_app = {
	APE_CALLBACKS,
	.name = "ape",
	.receive = ape_demo_receive,
	.onlaunch = ape_launch,
};
