/* Binary that clients fetch. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/list.h"
#include "common/map.h"
#include "shardd/ape/courier.h"
#include "shardd/ape/download.h"
#include "shardd/ape/queryid.h"
#include "shardd/ape/quota.h"

#define DOWNLOAD_MS		60000	/* until it is asked for; and once more */
#define DOWNLOAD_SWEEP_MS	10000
#define DOWNLOADS_MAX		10000

struct download {
	struct map_node	 by_name;
	struct list	 at;
	int		 fd;
	uint64_t	 size, until;
	int		 asked;
	char		 session[APE_ID + 1], client[APE_ID + 1];
	char		 name[DOWNLOAD_NAME_MAX + 1];
};

static struct map	 downloads;
static struct list	 download_list = { &download_list, &download_list };
static struct kennel_timer *download_timer;

/* Forget one. */
static void
download_end(struct download *d)
{
	map_remove(&downloads, &d->by_name);
	list_remove(&d->at);
	quota_give(d->session, d->size);
	close(d->fd);
	free(d);
}

/* Forget those whose time is up. */
static void
download_sweep_cb(void *arg)
{
	struct download	*d;
	struct list	*e, *tmp;

	(void)arg;
	list_each(e, tmp, &download_list) {
		d = list_entry(e, struct download, at);
		if (d->until < kennel_time())
			download_end(d);
	}
	if (downloads.count == 0) {
		kennel_timer_free(download_timer);
		download_timer = NULL;
	}
}

const char *
download_add(int fd, uint64_t size, const char *session, const char *client)
{
	struct download	*d;

	if (downloads.count >= DOWNLOADS_MAX ||
	    (d = calloc(1, sizeof(*d))) == NULL)
		return (NULL);
	if (session != NULL)
		strncpy(d->session, session, APE_ID);
	if (client != NULL)
		strncpy(d->client, client, APE_ID);
	if (quota_take(d->session, size) == -1) {
		free(d);
		return (NULL);
	}
	courier_name(d->name, kennel_slot());
	queryid_random(d->name + 2, DOWNLOAD_NAME - 2);
	if (signpost_here() != NULL)
		snprintf(d->name + DOWNLOAD_NAME, sizeof(d->name) -
		    DOWNLOAD_NAME, ".%s", signpost_here());
	d->size = size;
	d->until = kennel_time() + DOWNLOAD_MS;
	if ((d->fd = fcntl(fd, F_DUPFD_CLOEXEC, 0)) == -1 ||
	    map_insert(&downloads, &d->by_name, d->name, strlen(d->name)) == -1) {
		if (d->fd != -1)
			close(d->fd);
		quota_give(d->session, size);
		free(d);
		return (NULL);
	}
	list_push(&download_list, &d->at);
	if (download_timer == NULL)
		download_timer = kennel_timer_new(DOWNLOAD_SWEEP_MS, 1,
		    download_sweep_cb, NULL);
	return (d->name);
}

const char *
download_server(const char *name)
{
	size_t	 n = strlen(name);

	if (n < DOWNLOAD_NAME || n > DOWNLOAD_NAME_MAX)
		return (NULL);
	if (n == DOWNLOAD_NAME)
		return (name + n);
	return (name[DOWNLOAD_NAME] == '.' ? name + DOWNLOAD_NAME + 1 : NULL);
}

int
download_is_due(const char *session, const char *client)
{
	struct download	*d;
	struct list	*e, *tmp;

	list_each(e, tmp, &download_list) {
		d = list_entry(e, struct download, at);
		if (!d->asked && d->until >= kennel_time() &&
		    strcmp(d->session, session) == 0 &&
		    strcmp(d->client, client) == 0)
			return (1);
	}
	return (0);
}

int
download_find(const char *name, const struct asker *who)
{
	struct map_node	*n = map_find(&downloads, name, strlen(name));
	struct download	*d;

	if (n == NULL)
		return (-1);
	d = container_of(n, struct download, by_name);
	if (d->session[0] != '\0' && strcmp(who->cookie, d->session) != 0 &&
	    strcmp(who->header, d->session) != 0 && (who->header[0] == '\0' ||
	    strcmp(who->header, d->client) != 0))
		return (-1);
	if (!d->asked) {
		d->asked = 1;
		d->until = kennel_time() + DOWNLOAD_MS;
	}
	return (d->fd);
}
