/*
 * front: the front page, the assets of the built-in pages, what is running
 * as JSON (/info), and a health check.
 */
#include <string.h>
#include <unistd.h>

#include <jansson.h>

#include "shardd/apps/apps.h"

/*
 * The links of the configuration's routes come as one option, "links": a line
 * each, "<path> <about>".
 */
static json_t *
front_links(void)
{
	const char	*at = kennel_option("links"), *end, *space;
	json_t		*links = json_array();

	for (; at != NULL && *at != '\0'; at = *end == '\0' ? end : end + 1) {
		end = at + strcspn(at, "\n");
		if ((space = memchr(at, ' ', (size_t)(end - at))) == NULL)
			continue;
		json_array_append_new(links, json_pack("{s:s%, s:s%}",
		    "path", at, (size_t)(space - at),
		    "about", space + 1, (size_t)(end - space - 1)));
	}
	return (links);
}

static void
front_info(struct kennel_request *q)
{
	const char	*shards = kennel_option("shards");
	json_t		*info;
	char		*text;

	info = json_pack("{s:s, s:s, s:s, s:i, s:I, s:s, s:s?, s:o}",
	    "name", "kennel",
	    "version", kennel_version(),
	    "node", kennel_node(),
	    "slot", (int)kennel_slot(),
	    "time", (json_int_t)kennel_time(),
	    "shard", kennel_address(),
	    "shards", shards,
	    "links", front_links());
	text = info == NULL ? NULL : json_dumps(info, JSON_COMPACT);
	if (text == NULL)
		kennel_respond(q, 503, NULL, NULL, 0);
	else {
		kennel_header(q, "Cache-Control", "no-store");
		kennel_respond(q, 200, "application/json", text, strlen(text));
	}
	free(text);
	json_decref(info);
}

static void
front_receive(struct kennel_request *q)
{
	static const char	 prefix[] = "/pages/";
	const char		*method = kennel_request_method(q);
	const char		*path = kennel_request_path(q);

	if (strcmp(path, "/info") == 0)
		app_for_all_origins(q);
	if (app_options(q, "GET, HEAD"))
		return;
	if (strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0) {
		kennel_header(q, "Allow", "GET, HEAD");
		kennel_respond(q, 405, "text/plain", "Method Not Allowed\n", 19);
	} else if (strcmp(path, "/") == 0)
		kennel_respond_page(q, "front.html");
	else if (strcmp(path, "/info") == 0)
		front_info(q);
	else if (strcmp(path, "/healthz") == 0)
		kennel_respond(q, 200, "text/plain", "ok\n", 3);
	else if (strncmp(path, prefix, sizeof(prefix) - 1) == 0)
		kennel_respond_page(q, path + sizeof(prefix) - 1);
	else
		kennel_respond(q, 404, NULL, NULL, 0);
}

const struct kennel_app front_app = {
	.name = "front",
	.receive = front_receive,
};
