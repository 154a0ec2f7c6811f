/*
 * Advice on a configuration that is right by itself: what will fail when it runs, and
 * what will not do what it seems to.  For --check.
 */
#ifndef GATEWAYD_ADVISE_H
#define GATEWAYD_ADVISE_H

struct settings;

/* Faults are counted (settings_fault), the rest are warnings on standard error. */
void	 advise(struct settings *s);

#endif
