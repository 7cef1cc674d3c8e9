/* SPDX-License-Identifier: MIT */
/* A shared object that is no module. */
int no_module;
