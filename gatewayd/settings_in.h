/*
 * What reads, completes and checks the settings: the keys of [gateway], and what is
 * known while they are read.
 */
#ifndef GATEWAYD_SETTINGS_IN_H
#define GATEWAYD_SETTINGS_IN_H

#include <stddef.h>

struct settings;
struct settings_option;

#define EXIT_CONFIG	1
#define EXIT_USAGE	2

enum said { BUILT_IN, FROM_FILE, FROM_FLAG };	/* the later wins */

enum kind { TEXT, PATH, FILE_PATH, NETWORKS, UINT, LIMIT, SIZE, DURATION,
    LIFETIME, LEVEL, FORMAT, LISTEN, YESNO, WORD, FOREST };

/* Also the flags' table: --log-level is log_level. */
enum row {
	ROW_WORKER, ROW_LISTEN, ROW_LIMIT, ROW_SHARDS, ROW_MAX_SHARDS,
	ROW_REDIS, ROW_NODE, ROW_RUN_DIR, ROW_STATE_DIR, ROW_USER, ROW_LOG_LEVEL,
	ROW_ADMIN,
	ROW_REDIS_PASSWORD_FILE,
	ROW_LOG_FORMAT,
	ROW_NFLAGS,
	ROW_REDIS_PREFIX = ROW_NFLAGS, ROW_REDIS_USER, ROW_REDIS_CA_FILE,
	ROW_REDIS_CERT_FILE, ROW_REDIS_KEY_FILE, ROW_CAPACITY, ROW_HEAD_TIMEOUT,
	ROW_LINE_MAX, ROW_HEAD_MAX, ROW_HEADERS_MAX, ROW_KEEP_MAX,
	ROW_HANDSHAKES_MAX,
	ROW_HOME_MAX, ROW_HOME_TIMEOUT, ROW_WAITING_MAX, ROW_WATCHDOG,
	ROW_DRAIN, ROW_COVER, ROW_MOVE_RATE, ROW_BALANCE, ROW_BALANCE_RATE,
	ROW_UPGRADE_HOLD, ROW_UPGRADE_WAIT, ROW_IDLE_SHARD, ROW_BACKLOG, ROW_SECCOMP, ROW_CORE,
	ROW_PER_ADDRESS,
	ROW_ACCEPT_RATE, ROW_LINGER_MAX, ROW_ORPHAN, ROW_READY_REDIS,
	ROW_CLUSTER_KEY_FILE, ROW_LEAVE_PAUSE,
	ROW_N
};

struct settings_row {
	const char	*key;
	enum kind	 kind;
	size_t		 at;
	unsigned	 min, max;
	int		 live;		/* the value is asked for at each use */
};
extern const struct settings_row settings_rows[ROW_N];

/* While loading. */
struct load {
	struct settings	*s;
	enum said	 origin;	/* of what is being read */
	enum said	 given[ROW_N];
	enum said	 routes;
};

void	 settings_init(struct settings *s);
/* A key of [gateway], of [worker]: 0, or -1 with *why. */
int	 settings_set(struct load *l, const char *key, const char *value,
	    const char **why);
int	 settings_worker_set(struct settings *s, const char *key,
	    const char *value, const char **why);
/* The value of a key of [gateway] in words, malloc'd. */
char	*settings_say(const struct settings *s, enum row row);
/* What workers are told: the last value of a key counts. */
struct settings_option *settings_option(struct settings *s, const char *key,
	    const char *value);
const struct settings_option *settings_find_option(const struct settings *s,
	    const char *key);
/* What the key of [worker] is called that workers are told as option. */
const char *settings_worker_key(const char *option);

/* Say it and exit. */
void	 settings_die(int status, const char *fmt, ...)
	    __attribute__((format(printf, 2, 3), noreturn));
/* A fault of the configuration: say it, and exit, or with --check count it, so that
 * all are said. */
void	 settings_fault(struct settings *s, const char *fmt, ...)
	    __attribute__((format(printf, 2, 3)));
/* text, which must not be NULL: else there is no memory. */
char	*settings_have(char *text);
char	*settings_strdup(const char *text);
char	*settings_printf(const char *fmt, ...)
	    __attribute__((format(printf, 1, 2)));
/* A path that stays right when somebody changes directory; malloc'd. */
char	*settings_absolute(const char *path);

#endif
