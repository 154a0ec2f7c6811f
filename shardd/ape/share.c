/* Files that clients share. */
#include <sys/mman.h>

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/list.h"
#include "common/map.h"
#include "shardd/ape/share.h"

#define SHARE_MS	120000		/* from when it is announced */
#define SHARE_SWEEP_MS	5000
#define SHARES_MAX	1000

struct share {
	struct map_node	 by_id;
	struct list	 at;
	int		 fd;
	struct share_head *head;
	char		 id[SHARE_ID_MAX + 1];
};

static struct map	 shares;
static struct list	 share_list = { &share_list, &share_list };
static struct kennel_timer *share_timer;

struct share_head *
share_map(int fd)
{
	void	*map = mmap(NULL, SHARE_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED,
		    fd, 0);

	return (map == MAP_FAILED ? NULL : map);
}

int
share_is_empty(int fd)
{
	struct share_head	*h = share_map(fd);
	int			 empty;

	empty = h != NULL && __atomic_load_n(&h->state, __ATOMIC_ACQUIRE) ==
	    SHARE_EMPTY;
	share_unmap(h);
	return (empty);
}

void
share_unmap(struct share_head *h)
{
	if (h != NULL)
		munmap(h, SHARE_PAGE);
}

/* Forget one; who reads or writes it goes on. */
static void
share_end(struct share *s)
{
	map_remove(&shares, &s->by_id);
	list_remove(&s->at);
	share_unmap(s->head);
	close(s->fd);
	free(s);
}

/* Forget those whose time is up. */
static void
share_sweep_cb(void *arg)
{
	struct share	*s;
	struct list	*e, *tmp;

	(void)arg;
	list_each(e, tmp, &share_list) {
		s = list_entry(e, struct share, at);
		if (__atomic_load_n(&s->head->until, __ATOMIC_ACQUIRE) <
		    kennel_time())
			share_end(s);
	}
	if (shares.count == 0) {
		kennel_timer_free(share_timer);
		share_timer = NULL;
	}
}

/* The one of that id, or NULL. */
static struct share *
share_get(const char *id)
{
	struct map_node	*n = map_find(&shares, id, strlen(id));

	return (n == NULL ? NULL : container_of(n, struct share, by_id));
}

int
share_blank(struct share_head **head)
{
	int	 fd = memfd_create("ape-share", MFD_CLOEXEC);

	if (fd == -1)
		return (-1);
	if (ftruncate(fd, SHARE_PAGE) == 0 && (*head = share_map(fd)) != NULL)
		return (fd);
	close(fd);
	return (-1);
}

/* Another one.  0, or -1. */
static int
share_add(const char *id, const char *session)
{
	struct share	*s;

	if (shares.count >= SHARES_MAX || (s = calloc(1, sizeof(*s))) == NULL)
		return (-1);
	strcpy(s->id, id);
	if ((s->fd = share_blank(&s->head)) == -1)
		goto fail;
	strcpy(s->head->session, session);
	s->head->since = kennel_time();
	s->head->until = s->head->since + SHARE_MS;
	if (map_insert(&shares, &s->by_id, s->id, strlen(s->id)) == -1)
		goto close;
	list_push(&share_list, &s->at);
	if (share_timer == NULL)
		share_timer = kennel_timer_new(SHARE_SWEEP_MS, 1,
		    share_sweep_cb, NULL);
	return (0);
close:
	share_unmap(s->head);
	close(s->fd);
fail:
	free(s);
	return (-1);
}

int
share_announce(const char *id, const char *session)
{
	struct share	*s;

	if (*id == '\0' || strlen(id) > SHARE_ID_MAX)
		return (-1);
	if ((s = share_get(id)) != NULL) {
		if (strcmp(s->head->session, session) != 0 &&
		    s->head->until >= kennel_time()) {
			kennel_log_at(KENNEL_LOG_INFO, "ape file=%s is another "
			    "session's: not announced again", id);
			return (-1);
		}
		share_end(s);
	}
	if (share_add(id, session) == 0)
		return (0);
	kennel_log_at(KENNEL_LOG_WARN, "ape file=%s: no room for it", id);
	return (-1);
}

void
share_each(void (*cb)(const char *id))
{
	struct list	*e, *tmp;

	list_each(e, tmp, &share_list) {
		struct share	*s = list_entry(e, struct share, at);

		if (__atomic_load_n(&s->head->until, __ATOMIC_ACQUIRE) >=
		    kennel_time())
			cb(s->id);
	}
}

int
share_find(const char *id)
{
	struct share	*s = share_get(id);

	return (s == NULL ? -1 : s->fd);
}

int
share_choose(const int *fds, int n)
{
	struct share_head	*h[64];
	int			 first = -1, best = -1;

	if (n > 64)
		n = 64;
	for (int i = 0; i < n; i++) {
		h[i] = share_map(fds[i]);
		if (h[i] != NULL && (first == -1 ||
		    h[i]->since < h[first]->since))
			first = i;
	}
	for (int i = 0; i < n; i++)
		if (h[i] != NULL && strcmp(h[i]->session, h[first]->session) ==
		    0 && (best == -1 || h[i]->since >= h[best]->since))
			best = i;
	for (int i = 0; i < n; i++)
		share_unmap(h[i]);
	return (best);
}
