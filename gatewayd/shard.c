/* One process that serves connections. */
#include <sys/socket.h>

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <event2/event.h>

#include "common/bytes.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/proc.h"
#include "gatewayd/child.h"
#include "gatewayd/paths.h"
#include "gatewayd/placement.h"
#include "gatewayd/settings.h"
#include "gatewayd/shard.h"
#include "proto/channel.h"
#include "proto/keys.h"

#define SHARD_BACKOFF_MIN_MS	100
#define SHARD_BACKOFF_MAX_MS	10000
#define SHARD_TRIES		3	/* then it is said what may be wrong */
#define SHARD_APPS		256	/* applications of a worker */
#define SHARD_RESERVE		256	/* descriptors of a shard, not clients */

struct known {				/* a replica that a shard told of */
	struct map_node	 by_id;
	uint64_t	 id;
};

static void	 shard_free(struct shard *);
static void	 shard_timer_cb(evutil_socket_t, short, void *);
static void	 shard_exit_cb(evutil_socket_t, short, void *);
static int	 shard_watch(struct shard *);
static char	*shard_lock_path(const struct shard *);

const char *
shard_state_name(enum shard_state s)
{
	static const char *const	 names[] = {
		[SHARD_EMPTY]	= "empty",
		[SHARD_STARTING] = "starting",
		[SHARD_READY]	= "ready",
		[SHARD_SILENT]	= "silent",
		[SHARD_LEAVING]	= "leaving",
		[SHARD_WAITING]	= "waiting",
	};

	return (names[s]);
}

int
shards_init(struct shards *all, struct event_base *base,
    const struct settings *settings, struct placement *placement,
    const struct sock_fprog *filter, const struct shard_ops *ops, void *arg)
{
	struct shard	*s;

	all->base = base;
	all->settings = settings;
	all->placement = placement;
	all->filter = filter;
	all->ops = ops;
	all->arg = arg;
	generations_init(&all->generations);
	all->generations.current = generation_later(&all->generations,
	    settings->worker);
	if (all->generations.current == NULL)
		return (-1);
	for (uint32_t i = 0; i < SLOTS_MAX; i++) {
		s = &all->slots[i];
		s->all = all;
		s->slot = i;
		s->pidfd = -1;
		pulse_init(&s->pulse);
		list_init(&s->handoffs);
		list_init(&s->rescues);
		list_init(&s->rescued);
		list_init(&s->owed);
		backoff_init(&s->backoff, SHARD_BACKOFF_MIN_MS,
		    SHARD_BACKOFF_MAX_MS);
	}
	for (uint32_t i = 0; i < SLOTS_MAX; i++) {
		s = &all->slots[i];
		s->timer = evtimer_new(base, shard_timer_cb, s);
		if (s->timer == NULL) {
			errno = ENOMEM;
			return (-1);
		}
	}
	return (0);
}

void
shards_clear(struct shards *all)
{
	for (size_t i = 0; i < SLOTS_MAX; i++)
		shard_free(&all->slots[i]);
	generations_clear(&all->generations);
}

int
shards_know(const struct shards *all, uint64_t incarnation)
{
	for (size_t i = 0; i < all->nslots; i++)
		if (all->slots[i].pid != 0 &&
		    (all->slots[i].incarnation == incarnation ||
		    all->slots[i].incarnation == 0))
			return (1);
	return (0);
}

void
shards_clean(struct shards *all)
{
	const char	*run_dir = all->settings->run_dir;
	struct ctl	 dead = { .type = CTL_DEAD };
	DIR		*dir = NULL;
	struct dirent	*d;
	int		 end, fd = proc_dir_open(run_dir);

	if (fd == -1 || (dir = fdopendir(fd)) == NULL) {
		log_warn("run directory %s: %s", run_dir, strerror(errno));
		if (fd != -1)
			close(fd);
	}

	while (dir != NULL && (d = readdir(dir)) != NULL) {
		end = 0;
		if (sscanf(d->d_name, "link-%3" SCNu32 "-%16" SCNx64 ".sock%n",
		    &dead.slot, &dead.incarnation, &end) != 2 || end == 0 ||
		    d->d_name[end] != '\0' || dead.slot >= SLOTS_MAX ||
		    shards_know(all, dead.incarnation))
			continue;
		unlinkat(fd, d->d_name, 0);
		for (size_t i = 0; i < all->nslots; i++)
			if (shard_open(&all->slots[i]))
				shard_tell(&all->slots[i], &dead, NULL);
	}
	if (dir != NULL)
		closedir(dir);
}

/* ---- a process: found, started, ended ---- */

int
shards_live(const char *run_dir)
{
	char	 name[32], *path;
	pid_t	 pid = 0;

	for (uint32_t i = 0; i < SLOTS_MAX && pid <= 0; i++) {
		snprintf(name, sizeof(name), "shard-%" PRIu32 ".lock", i);
		if ((path = paths_in(run_dir, name)) != NULL)
			pid = proc_lock_holder(path);
		free(path);
	}
	return (pid > 0);
}

/* Is somebody in this slot already?  Then wait for its hello. */
int
shard_find(struct shard *s)
{
	char		*path = shard_lock_path(s);
	struct timeval	 tv = clock_tv(s->all->settings->watchdog_ms);
	pid_t		 pid = 0;
	int		 pidfd = -1;

	if (path != NULL && (pid = proc_lock_holder(path)) > 0) {
		/* Is it the same process, or another one that has this pid by now? */
		if ((pidfd = child_watch(pid)) != -1 &&
		    proc_lock_holder(path) != pid) {
			close(pidfd);
			pidfd = -1;
		}
	} else if (path != NULL && pid == 0)
		unlink(path);		/* of one that was killed */
	free(path);
	if (pidfd == -1)
		return (0);
	s->pid = pid;
	s->pidfd = pidfd;
	s->ours = 0;
	generation_set(&s->all->generations, &s->generation,
	    generation_found(&s->all->generations, pid));
	s->incarnation = 0;
	s->address[0] = '\0';
	s->since = clock_ms();
	s->served = 0;
	if (shard_watch(s) == -1)
		fatal("shard slot=%" PRIu32, s->slot);
	shard_move(s, SHARD_SILENT);
	evtimer_add(s->timer, &tv);
	return (1);
}

/* Fork a process into an empty slot, unless one is found there. */
int
shard_start(struct shard *s)
{
	const struct shards	*all = s->all;
	const struct settings *set = all->settings;
	char		 slot[16], incarnation[20], *control, *lock;
	const char	*argv[] = { NULL, "--control", NULL, "--slot",
			    slot, "--incarnation", incarnation, "--run-dir",
			    set->run_dir, "--log-level",
			    log_level_name(set->log_level),
			    "--log-format",
			    log_format_name(set->log_format),
			    set->core ? "--core" : NULL, NULL };
	struct timeval	 tv = clock_tv(SHARD_START_MS);
	size_t		 nofile = proc_nofile();
	pid_t		 holder = 0;
	int		 rc = 0;

	if (shard_find(s))
		return (0);
	if (s->generation == NULL)
		generation_set(&s->all->generations, &s->generation,
		    s->all->generations.current);
	argv[0] = s->generation->path;
	s->incarnation = bytes_random64();
	s->ours = 1;
	s->served = 0;
	s->since = clock_ms();
	s->started = clock_wall_ms();
	keys_address(s->address, sizeof(s->address), set->node, s->slot,
	    s->incarnation);
	snprintf(slot, sizeof(slot), "%" PRIu32, s->slot);
	snprintf(incarnation, sizeof(incarnation), "%016" PRIx64,
	    s->incarnation);
	lock = shard_lock_path(s);
	control = paths_in(set->run_dir, "control.sock");
	argv[2] = control;
	s->site = placement_site_add(all->placement, s->slot, s->incarnation,
	    set->capacity != 0 ? set->capacity :
	    nofile > SHARD_RESERVE ? nofile - SHARD_RESERVE : 1, s);
	s->pid = -1;
	if (lock != NULL && control != NULL && s->site != NULL &&
	    generation_fd(s->generation) != -1)
		s->pid = child_spawn(argv[0], s->generation->fd,
		    (char *const *)(uintptr_t)argv, lock, all->filter,
		    &s->pidfd, &holder);
	if (s->pid == -1 || shard_watch(s) == -1) {
		if (holder > 0)
			log_warn("shard slot=%" PRIu32 " its lock is held by "
			    "pid=%d", s->slot, (int)holder);
		else
			log_warn("shard slot=%" PRIu32 " worker=%s did not "
			    "start: %s", s->slot, s->generation->path,
			    strerror(errno));
		child_kill(s->pidfd, SIGKILL);
		if (s->pidfd != -1)
			close(s->pidfd);
		s->pidfd = -1;
		s->pid = 0;
		if (s->site != NULL)
			placement_site_remove(all->placement, s->site);
		s->site = NULL;
		s->crashes_in_row++;
		rc = -1;
	} else {
		shard_move(s, SHARD_STARTING);
		evtimer_add(s->timer, &tv);
	}
	free(lock);
	free(control);
	return (rc);
}

/* Hear when the process ends.  0, or -1 with errno. */
static int
shard_watch(struct shard *s)
{
	s->pid_event = event_new(s->all->base, s->pidfd, EV_READ,
	    shard_exit_cb, s);
	if (s->pid_event != NULL && event_add(s->pid_event, NULL) == 0)
		return (0);
	if (s->pid_event != NULL)
		event_free(s->pid_event);
	s->pid_event = NULL;
	errno = ENOMEM;
	return (-1);
}

/* The process of a shard has ended. */
static void
shard_exit_cb(evutil_socket_t fd, short what, void *arg)
{
	struct shard	*s = arg;

	(void)fd, (void)what;
	event_free(s->pid_event);
	s->pid_event = NULL;
	s->exited = 1;
	child_ended(s->ended, sizeof(s->ended), s->pid);
	/* What it sent is still read, then the end, also when another process
	 * has inherited its side. */
	if (s->control != NULL)
		shutdown(control_fd(s->control), SHUT_RDWR);
	else
		s->all->ops->dead(s, s->all->arg);
}

void
shard_bury(struct shard *s)
{
	free(s->link_path);
	s->link_path = NULL;
	free(s->apps);
	s->apps = NULL;
	s->napps = 0;
	s->capsule = 0;
	pulse_end(&s->pulse);
	close(s->pidfd);
	s->pidfd = -1;
	s->pid = 0;
	s->exited = s->heard = s->hopeless = s->ours = s->retires = 0;
	s->errors = 0;
	s->incarnation = 0;
	evtimer_del(s->timer);
}

void
shard_vacate(struct shard *s)
{
	s->kept = 0;
	generation_set(&s->all->generations, &s->generation, NULL);
}

/* Free what a slot holds. */
static void
shard_free(struct shard *s)
{
	shard_forget(s);
	if (s->timer != NULL)
		event_free(s->timer);
	if (s->pid_event != NULL)
		event_free(s->pid_event);
	if (s->pidfd != -1)
		close(s->pidfd);
	pulse_end(&s->pulse);
	free(s->apps);
	free(s->link_path);
}

/* The file that the process holds a lock on as long as it lives. */
static char *
shard_lock_path(const struct shard *s)
{
	char	 name[32];

	snprintf(name, sizeof(name), "shard-%" PRIu32 ".lock", s->slot);
	return (paths_in(s->all->settings->run_dir, name));
}

void
shard_unlink_lock(const struct shard *s)
{
	char	*path = shard_lock_path(s);

	if (path != NULL)
		unlink(path);
	free(path);
}

/* ---- its states ---- */

/* The one place where a state becomes another one. */
void
shard_move(struct shard *s, enum shard_state state)
{
	struct shards	*all = s->all;

	if (s->slot >= all->nslots)
		all->nslots = s->slot + 1;
	if (s->state == state)
		return;
	s->state = state;
	log_info("shard slot=%" PRIu32 " pid=%d state=%s", s->slot,
	    (int)s->pid, shard_state_name(state));
	all->ops->moved(all->arg);
}

void
shard_leave(struct shard *s, unsigned ms)
{
	struct timeval	 tv = clock_tv((uint64_t)ms + SHARD_LEAVE_MS);

	shard_move(s, SHARD_LEAVING);
	evtimer_add(s->timer, &tv);
}

void
shard_doubt(const struct shard *s)
{
	const char	*worker = s->generation->path;

	if (s->served || s->crashes_in_row != SHARD_TRIES)
		return;
	if (strcmp(s->ended, "status=127") == 0)
		log_warn("worker=%s did not get ready in %d tries (%s: a "
		    "library or an interpreter that it needs is missing?)",
		    worker, SHARD_TRIES, s->ended);
	else
		log_warn("worker=%s did not get ready in %d tries (the last "
		    "ended with %s): is it a Kennel worker, a program that "
		    "calls kennel_worker_main()?  What it said itself stands "
		    "above; it is tried again, every %d s at most", worker,
		    SHARD_TRIES, s->ended, SHARD_BACKOFF_MAX_MS / 1000);
}

/* Until its back-off is over. */
void
shard_wait(struct shard *s)
{
	struct timeval	 tv = clock_tv(backoff_next(&s->backoff));

	shard_move(s, SHARD_WAITING);
	evtimer_add(s->timer, &tv);
}

/* Kill a shard; nothing that it still says counts. */
void
shard_kill(struct shard *s, const char *why)
{
	log_warn("shard slot=%" PRIu32 " pid=%d killed: %s", s->slot,
	    (int)s->pid, why);
	s->hopeless = 1;
	if (s->site != NULL)
		s->site->usable = 0;
	evtimer_del(s->timer);
	child_kill(s->pidfd, SIGKILL);
}

/* The time that a shard has in its state is over. */
static void
shard_timer_cb(evutil_socket_t fd, short what, void *arg)
{
	struct shard	*s = arg;
	struct timeval	 tv = clock_tv(SHARD_ACCUSED_MS);
	uint64_t	 now = clock_ms();

	(void)fd, (void)what;
	switch (s->state) {
	case SHARD_STARTING:
		shard_kill(s, "it did not get ready in time");
		break;
	case SHARD_SILENT:
		shard_kill(s, "it did not say hello in time");
		break;
	case SHARD_READY:
		if (pulse_moved(&s->pulse, now - SHARD_ACCUSED_MS, now))
			evtimer_add(s->timer, &tv);	/* it is busy */
		else
			shard_kill(s, "a link to it was lost and it does not "
			    "answer");
		break;
	case SHARD_WAITING:
		s->all->ops->due(s, s->all->arg);
		break;
	case SHARD_LEAVING:
		shard_kill(s, "it did not leave in time");
		break;
	case SHARD_EMPTY:
		break;
	}
}

int
shard_serves(const struct shard *s)
{
	return ((s->state == SHARD_READY || s->state == SHARD_LEAVING) &&
	    s->control != NULL);
}

int
shard_open(const struct shard *s)
{
	return (s->control != NULL && !s->hello);
}

int
shard_ended_well(const struct shard *s)
{
	return (s->state == SHARD_LEAVING && !s->hopeless &&
	    /* Of one that is not our child nothing is known. */
	    (strcmp(s->ended, "status=0") == 0 || !s->ours));
}

/* ---- what it is told, and has told ---- */

int
shard_tell(struct shard *s, const struct ctl *m, const int *fds)
{
	if (s->control == NULL) {
		errno = ENOTCONN;
		return (-1);
	}
	if (control_send(s->control, m, fds) == 0)
		return (0);
	log_warn("shard slot=%" PRIu32 " message=%s error=\"%s\"", s->slot,
	    ctl_name(m->type), strerror(errno));
	return (-1);
}

/* Ask whether the shard goes on. */
void
shard_ping(struct shard *s)
{
	struct ctl	 m = { .type = CTL_PING,
			    .id = pulse_ask(&s->pulse, clock_ms()) };

	s->asked = 0;
	shard_tell(s, &m, NULL);
}

void
shard_drain(struct shard *s, unsigned deadline_ms, enum close_why why)
{
	struct ctl	 m = { .type = CTL_DRAIN, .flags = CTL_F_LEAVE,
			    .why = why, .ms = deadline_ms,
			    .slot = s->slot };

	shard_tell(s, &m, NULL);
}

int
shard_note_app(struct shard *s, struct slice name, unsigned blob)
{
	struct shard_app	*apps;

	if (s->napps >= SHARD_APPS || name.len > APP_MAX || (apps =
	    realloc(s->apps, (s->napps + 1) * sizeof(*apps))) == NULL)
		return (-1);
	s->apps = apps;
	apps += s->napps++;
	memset(apps, 0, sizeof(*apps));
	if (name.len > 0)
		memcpy(apps->name, name.data, name.len);
	apps->blob = blob;
	return (0);
}

unsigned
shard_blob(const struct shard *s, const char *app)
{
	for (size_t i = 0; i < s->napps; i++)
		if (s->apps[i].name[0] == '\0' ||
		    strcmp(s->apps[i].name, app) == 0)
			return (s->apps[i].blob);
	return (0);
}

int
shard_note(struct shard *s, uint64_t replica)
{
	struct known	*k;

	if ((k = calloc(1, sizeof(*k))) == NULL)
		return (-1);
	k->id = replica;
	if (map_insert(&s->has, &k->by_id, &k->id, sizeof(k->id)) == 0)
		return (0);
	free(k);
	return (-1);
}

int
shard_noted(const struct shard *s, uint64_t replica)
{
	return (map_find(&s->has, &replica, sizeof(replica)) != NULL);
}

int
shard_has(const struct shard *s, uint64_t replica)
{
	if (s->control == NULL)
		return (0);
	return (shard_serves(s) || shard_noted(s, replica));
}

void
shard_forget(struct shard *s)
{
	struct map_node	*n;

	while ((n = map_first(&s->has)) != NULL) {
		map_remove(&s->has, n);
		free(container_of(n, struct known, by_id));
	}
	map_clear(&s->has);
}
