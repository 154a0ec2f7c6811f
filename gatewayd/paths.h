/* Where things are when nobody says; for gatewayd and kennelctl alike. */
#ifndef GATEWAYD_PATHS_H
#define GATEWAYD_PATHS_H

/* malloc'd; NULL with errno ENOMEM.  /run/kennel and /var/lib/kennel for root, else
 * below $XDG_RUNTIME_DIR and $XDG_STATE_HOME or ~/.local/state, else /tmp. */
char	*paths_run_dir(void);
char	*paths_state_dir(void);
/* The program of that name in dirs, separated by ':' (NULL: $PATH); malloc'd, or
 * NULL. */
char	*paths_program(const char *dirs, const char *name);
/* "<dir>/<name>", malloc'd; NULL with errno ENOMEM. */
char	*paths_in(const char *dir, const char *name);

#endif
