autocmd BufNewFile,BufRead *.lsmp setfiletype lsmp
